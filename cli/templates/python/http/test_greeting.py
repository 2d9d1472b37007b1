"""Run with: python3 -m unittest, or pytest."""

import unittest

from greeting import BlankName, LongName, greeting


class GreetingTest(unittest.TestCase):
    def test_a_greeting_is_in_the_language(self):
        self.assertEqual(greeting(" Ada ", "ENGLISH"), "Hello, Ada!")
        self.assertEqual(greeting("Ada", "GERMAN"), "Hallo, Ada!")

    def test_a_name_is_neither_blank_nor_long(self):
        self.assertRaises(BlankName, greeting, "  ", "ENGLISH")
        self.assertRaises(LongName, greeting, "a" * 41, "ENGLISH")


if __name__ == "__main__":
    unittest.main()
