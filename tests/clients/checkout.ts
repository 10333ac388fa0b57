// A checkout, driven with openapi-fetch and the types that openapi-typescript generates; tsc holds it to them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID as key } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];
type Step = components["schemas"]["CalculationStep"];

const [operator, checkout] = [client("operator"), client("checkout")];
const { now } = done(await operator.GET("/v1/sandbox/clock"));
const [giver, receiver] = [await enrol(), await enrol()];
done(
  await operator.POST("/v1/adjustments", {
    params: newKey(),
    body: { member_id: giver.id, points: 1000, reason: "goodwill" },
  }),
);
console.log("members enrolled:", giver.status, giver.wallet.active, "points");

// An order, and its retry after a lost answer.
const first = {
  params: newKey(),
  body: {
    order_id: key(),
    member_id: giver.id,
    occurred_at: now,
    currency: "USD",
    amount: "29.33",
    items: [
      { sku: "tea", quantity: "0.75", unit_price: "20.00" },
      { sku: "mug", quantity: "1", amount: "14.33" },
    ],
  },
};
const order = done(await checkout.POST("/v1/orders", first));
const again = await checkout.POST("/v1/orders", first);
assert.deepEqual(done(again), order);
assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
order.earned.calculation.forEach((step) => console.log(" ", told(step)));
assert.deepEqual([order.earned.points, order.earned.calculation.map((step) => step.rule)], [29, ["base", "rounding"]]);
console.log("order posted twice, earned once:", order.earned.points, "points, active at", order.earned.active_at);

// Points set aside at payment, and taken with the order.
const hold = done(
  await checkout.POST("/v1/redemptions", {
    params: newKey(),
    body: { member_id: giver.id, points: 200, order_amount: "42.50", hold: { ttl: "15m" } },
  }),
);
assert.deepEqual([hold.status, hold.wallet.held], ["held", 200]);
const second = {
  order_id: key(),
  member_id: giver.id,
  occurred_at: now,
  currency: "USD",
  amount: "42.50",
  items: [{ sku: "mug", quantity: "3", amount: "42.50" }],
  redemption_ids: [hold.id],
};
const { paid } = done(await checkout.POST("/v1/orders", { body: second }));
assert.equal(paid?.value, "2.00");
const named = { path: { redemption_id: hold.id } };
assert.equal(done(await checkout.GET("/v1/redemptions/{redemption_id}", { params: named })).status, "captured");
console.log("hold captured with its order: points paid", paid.value);

const refund = done(
  await checkout.POST("/v1/orders/{order_id}/refunds", {
    params: { path: { order_id: second.order_id } },
    body: { refund_id: key(), amount: "14.17", items: [{ sku: "mug", quantity: "1" }] },
  }),
);
console.log(`refunded in part: ${refund.amount}, ${refund.paid_out} in money; ${refund.returned.points} points back`);

// The member's own app.
const app = client("member", "--member", giver.id);
const cause = done(await operator.POST("/v1/causes", { params: newKey(), body: { name: "Trees" } }));
const gift = { cause_id: cause.id, points: 50 };
const donation = done(await app.POST("/v1/donations", { params: newKey(), body: gift }));
const given = { to_member_id: receiver.id, points: 70, direct: true };
const transfer = done(await app.POST("/v1/transfers", { params: newKey(), body: given }));
assert.equal(transfer.status, "accepted");
console.log("donated with receipt", donation.receipt_number, "and gave", transfer.points);

const me = { id: "me" };
const answer = await app.GET("/v1/members/{id}/wallet", { params: { path: me } });
const wallet = done(answer);
const tag = { "If-None-Match": answer.response.headers.get("ETag") ?? "" };
const unchanged = await app.GET("/v1/members/{id}/wallet", { params: { path: me, header: tag } });
assert.equal(unchanged.response.status, 304);
console.log("wallet:", wallet.active, "active,", wallet.pending, "pending; asked again: 304");

const { error } = await app.POST("/v1/redemptions", { params: newKey(), body: { points: wallet.active + 1 } });
assert(error?.code === "insufficient_points");
assert.equal(error.available, wallet.active);
console.log("refused:", error.code, "available", error.available);

const page = done(await app.GET("/v1/members/{id}/entries", { params: { path: me, query: { limit: 2 } } }));
assert(page.next_cursor);
const query = { limit: 2, cursor: page.next_cursor };
const rest = done(await app.GET("/v1/members/{id}/entries", { params: { path: me, query } }));
const kinds = [...page.entries, ...rest.entries].map((line) => line.kind);
assert.equal(kinds.length, 4);
console.log("statement: a page and the next,", kinds.join(", "));

async function enrol() {
  return done(await checkout.POST("/v1/members", { body: { external_id: key() } }));
}

/** What a step of a calculation says; a step that is not known does not compile. */
function told(step: Step): string {
  switch (step.rule) {
    case "base":
      return `base: ${step.amount} x ${step.points_per_unit} = ${step.unrounded_points}`;
    case "tier":
      return `tier: ${step.code} x ${step.factor} = ${step.unrounded_points}`;
    case "rounding":
      return `rounding: ${step.mode} to ${step.points}`;
  }
}

/** The answer, if it is none of a problem. */
function done<T>({ data, error }: { data?: T; error?: Problem }): T {
  assert(data !== undefined, JSON.stringify(error));
  return data;
}

function newKey() {
  return { header: { "Idempotency-Key": key() } };
}

/** A client with a token of the sandbox's development key. */
function client(role: string, ...more: string[]) {
  const { ACCRUE = "accrue", URL: baseUrl = "" } = process.env;
  const token = execFileSync(ACCRUE, ["token", "--as", role, ...more], { encoding: "utf8" }).trim();
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}
