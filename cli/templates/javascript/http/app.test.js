// Run with: node --test

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greeter } from './app.js';

test('a greeting is in English unless a language is given', () => {
  assert.equal(greeter.greet(' Ada ').text, 'Hello, Ada!');
  assert.equal(greeter.greet('Ada', 'german').text, 'Hallo, Ada!');
});

test('a name is neither blank nor long', () => {
  assert.throws(() => greeter.greet('  '), { tag: 'blank-name' });
  assert.throws(() => greeter.greet('a'.repeat(41)), { tag: 'long-name', val: 40 });
});
