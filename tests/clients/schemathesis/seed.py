"""Makes what requests can name and prints the ids as JSON: of each kind, and `kind:call` where a call uses it up."""

import json
import os
import subprocess
import sys
import urllib.request
import uuid


def main() -> None:
    member, other, *leaving = (enrol() for _ in range(5))
    sleeper, closed, erased = leaving
    ids = {
        "member": member,
        "member:suspend": sleeper,
        "member:resume": sleeper,
        "member:close": closed,
        "member:erase": erased,
        "other": other,
        "order": order(member, "30.00", items=[{"sku": "mug", "quantity": "3", "amount": "30.00"}]),
        "order:refunds": order(member, "90000.00"),
        "reward": call("POST", "/v1/rewards", {"name": "Mug", "kind": "product", "points": 10})["id"],
        "cause": call("POST", "/v1/causes", {"name": "Trees"})["id"],
        "redemption": redeem(member, hold=True),
        "redemption:capture": redeem(member, hold=True),
        # A member voids what it held itself.
        "redemption:void": redeem(member, hold=True, token=token("member", "--member", member)),
        "redemption:return": redeem(member, hold=False),
        "transfer": offer(other, member),
        "transfer:accept": offer(other, member),
        "transfer:decline": offer(other, member),
        "transfer:cancel": offer(member, other),
    }
    json.dump(ids, sys.stdout, indent=2)


def enrol() -> str:
    member = call("POST", "/v1/members", {"external_id": str(uuid.uuid4()), "joined_at": "2000-01-01T00:00:00Z"})
    call("POST", "/v1/adjustments", {"member_id": member["id"], "points": 10**9, "reason": "goodwill"})
    return member["id"]


def order(member: str, amount: str, **items: list[dict]) -> str:
    now = call("GET", "/v1/sandbox/clock")["now"]
    made = {"member_id": member, "occurred_at": now, "currency": "USD", "amount": amount, **items}
    return call("POST", "/v1/orders", {"order_id": str(uuid.uuid4()), **made})["order_id"]


def redeem(member: str, hold: bool, token: str | None = None) -> str:
    held = {"hold": {"ttl": "1h"}} if hold else {}
    return call("POST", "/v1/redemptions", {"member_id": member, "points": 1000, **held}, token)["id"]


def offer(giver: str, receiver: str) -> str:
    return call("POST", "/v1/transfers", {"from_member_id": giver, "to_member_id": receiver, "points": 10})["id"]


def token(role: str, *more: str) -> str:
    command = [os.environ["ACCRUE"], "token", "--as", role, *more]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def call(method: str, path: str, body: dict | None = None, token: str | None = None) -> dict:
    headers = {
        "Authorization": f"Bearer {token or OPERATOR}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
    }
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["URL"] + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


OPERATOR = token("operator")
main()
