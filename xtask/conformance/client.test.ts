// A client whose types `openapi-typescript` generates from the documents, against a host at WEFT_URL.
// `tsc` checks this file: that right uses have types, and that wrong ones have errors.

import assert from "node:assert/strict";
import { test } from "node:test";
import createClient from "openapi-fetch";
import type { paths as Places } from "./documents/places.ts";
import type { components as ShopTypes, paths as Shop } from "./documents/shop.ts";
import type { paths as KebabText } from "./documents/kebab-text.ts";
import type { components, paths as Values } from "./documents/values.ts";

type Line = ShopTypes["schemas"]["line"];
type Shape = components["schemas"]["shape"];
// `openapi-fetch` makes lists of tuples; this is what the document has.
type Pair = Values["/echo-pair"]["post"]["requestBody"]["content"]["application/json"]["value"];

const host = process.env.WEFT_URL;
assert(host, "WEFT_URL is not set");

const shop = createClient<Shop>({ baseUrl: `${host}/api` });
const values = createClient<Values>({ baseUrl: `${host}/values` });
const kebab = createClient<KebabText>({ baseUrl: `${host}/kebab-text` });
const places = createClient<Places>({ baseUrl: `${host}/places` });

test("an order is placed, read by its id, and listed", async () => {
  const placed = await shop.POST("/orders", { body: { lines: [{ sku: "sencha", quantity: 1 }] } });
  assert(placed.data, JSON.stringify(placed.error));
  const cents: number | string = placed.data.total.cents;
  assert.equal(typeof cents, "number");
  // A body can have integers of 64 bits as strings, and a path has numbers.
  const id = Number(placed.data.id);
  const read = await shop.GET("/orders/{id}", { params: { path: { id } } });
  assert.deepEqual(read.data, placed.data);
  const recent = await shop.GET("/orders", { params: { query: { limit: 1 } } });
  assert.deepEqual(recent.data?.[0]?.lines, placed.data.lines);
});

test("an error of the function has the type of its case", async () => {
  const { error, response } = await shop.GET("/stock/{sku}", { params: { path: { sku: "car" } } });
  assert.equal(response.status, 404);
  assert(error && "case" in error && error.case === "unknown-sku");
  const sku: unknown = "value" in error ? error.value : undefined;
  assert.equal(sku, "car");
});

test("variants, tuples and options come back as they were sent", async () => {
  const shape: Shape = { tag: "both", val: [0.5, -3] };
  const { data } = await values.POST("/echo-shape", { body: { value: shape } });
  // Each case has its own type of value: a text has `length`, a number has not.
  const length: number | undefined = data?.tag === "polygon" ? data.val[0]?.label.length : undefined;
  assert.equal(length, undefined);
  assert.deepEqual(data, shape);
  assert.equal((await values.POST("/echo-maybe-u8", { body: {} })).data, null);
  const pair = await values.POST("/echo-pair", { body: { value: [-1, 2] } });
  assert.deepEqual(pair.data, [-1, 2]);
});

test("names and numbers have the form of the route", async () => {
  const echoed = await kebab.POST("/echo-u64", { body: { value: "18446744073709551615" } });
  assert.equal(echoed.data, "18446744073709551615");
});

test("values stand in the path, the query and a header", async () => {
  const colour = await places.GET("/colour/{value}", { params: { path: { value: "red" } } });
  assert.equal(colour.data, "red");
  const texts = await places.GET("/texts", { params: { query: { value: ["a b", "c&d"] } } });
  assert.deepEqual(texts.data, ["a b", "c&d"]);
  const number = await places.GET("/u32", { params: { header: { "X-Value": 7 } } });
  assert.equal(number.data, 7);
});

/** Never called: each use is wrong, and `tsc` fails if it accepts one. */
export function wrongUses() {
  // @ts-expect-error: no such path
  shop.GET("/order");
  // @ts-expect-error: no such method
  shop.DELETE("/orders");
  // @ts-expect-error: a missing path parameter
  shop.GET("/orders/{id}");
  // @ts-expect-error: a missing field
  shop.POST("/orders", { body: { lines: [{ sku: "cup" }] } });
  // @ts-expect-error: a field of another type
  shop.POST("/orders", { body: { lines: [{ sku: "cup", quantity: true }] } });
  // @ts-expect-error: an unknown key of the query
  shop.GET("/orders", { params: { query: { limits: 1 } } });
  // @ts-expect-error: an unknown case of an enum
  places.GET("/colour/{value}", { params: { path: { value: "ultraviolet" } } });
  // @ts-expect-error: a case with the value of another
  values.POST("/echo-shape", { body: { value: { tag: "small", val: "text" } } });
  // @ts-expect-error: a tuple with too many values
  const pair: Pair = [1, 2, 3];
  // @ts-expect-error: a tuple with a value of another type
  const other: Pair = [true, 2];
  // @ts-expect-error: an unknown field
  const line: Line = { sku: "cup", quantity: 1, colour: "red" };
  return [pair, other, line];
}
