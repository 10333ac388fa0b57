"""Makes what requests can name and prints the ids as JSON: of each kind, and `kind:call` where a call uses it up."""

import json
import os
import sys
import urllib.request
import uuid


def main() -> None:
    member, other, *leaving = (enrol() for _ in range(5))
    sleeper, closed, erased = leaving
    now = call("GET", "/v1/sandbox/clock")["now"]
    items = [{"sku": "mug", "quantity": "3", "amount": "30.00"}]
    order = {
        "order_id": str(uuid.uuid4()),
        "member_id": member,
        "occurred_at": now,
        "currency": "USD",
        "amount": "30.00",
        "items": items,
    }
    call("POST", "/v1/orders", order)
    ids = {
        "member": member,
        "member:suspend": sleeper,
        "member:resume": sleeper,
        "member:close": closed,
        "member:erase": erased,
        "other": other,
        "order": order["order_id"],
        "reward": call("POST", "/v1/rewards", {"name": "Mug", "kind": "product", "points": 10})["id"],
        "cause": call("POST", "/v1/causes", {"name": "Trees"})["id"],
        "redemption": redeem(member, hold=True),
        "redemption:capture": redeem(member, hold=True),
        "redemption:void": redeem(member, hold=True),
        "redemption:return": redeem(member, hold=False),
        "transfer": offer(other, member),
        "transfer:accept": offer(other, member),
        "transfer:decline": offer(other, member),
        "transfer:cancel": offer(other, member),
    }
    json.dump(ids, sys.stdout, indent=2)


def enrol() -> str:
    member = call("POST", "/v1/members", {"external_id": str(uuid.uuid4()), "joined_at": "2000-01-01T00:00:00Z"})
    call("POST", "/v1/adjustments", {"member_id": member["id"], "points": 10**9, "reason": "goodwill"})
    return member["id"]


def redeem(member: str, hold: bool) -> str:
    held = {"hold": {"ttl": "1h"}} if hold else {}
    return call("POST", "/v1/redemptions", {"member_id": member, "points": 1000, **held})["id"]


def offer(giver: str, receiver: str) -> str:
    return call("POST", "/v1/transfers", {"from_member_id": giver, "to_member_id": receiver, "points": 10})["id"]


def call(method: str, path: str, body: dict | None = None) -> dict:
    headers = {
        "Authorization": f"Bearer {os.environ['TOKEN']}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
    }
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["URL"] + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


main()
