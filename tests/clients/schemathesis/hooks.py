"""What schemathesis is told about this service: ids that exist, and when a refusal is no fault of the document."""

import itertools
import json
import os
import re
import tomllib
import uuid
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

# What seed.py made: an id for each kind of thing, and for `kind:call` where a call uses its thing up.
KNOWN: dict[str, str] = json.loads(Path(os.environ["KNOWN"]).read_text())
RULES = tomllib.loads(Path(__file__).with_name("rules.toml").read_text())
NOW = datetime.now(timezone.utc)

# The kind of thing that a field or parameter names.
KINDS = {
    "id": "member",
    "member": "member",
    "member_id": "member",
    "from_member_id": "member",
    "to_member_id": "other",
    "order_id": "order",
    "redemption_id": "redemption",
    "reward_id": "reward",
    "cause": "cause",
    "cause_id": "cause",
    "transfer_id": "transfer",
}

# Keys of a call's own, and how long they may be: another request under the same key would be a conflict.
KEYS = {"order_id": 64, "refund_id": 64, "external_id": 128}

counter = itertools.count()


def version_7(number: int) -> str:
    """An id as the service makes them: version 7, with the number of a journal behind the version."""
    made = bytearray(number.to_bytes(16, "big"))
    made[6], made[7], made[8] = 0x70, made[7] or 1, made[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(made)))


schemathesis.openapi.format("uuid", st.integers(0, 2**128 - 1).map(version_7))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Holds the rules against the codes of the document, and leaves a member's token the calls that are open to it."""
    unknown = RULES["codes"].keys() - set(raw_schema["components"]["schemas"]["ProblemCode"]["enum"])
    assert not unknown, f"rules.toml names codes that the document does not know: {unknown}"
    if os.environ["AS"] == "member":
        for calls in raw_schema["paths"].values():
            for method in [method for method, call in calls.items() if "me" not in call.get("x-scopes", [])]:
                del calls[method]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Names what exists under a new key, so that the rules behind the form are reached as well."""
    call = case.operation.path.rsplit("/", 1)[1]
    new = f"{next(counter)}-"
    for place in (case.path_parameters, case.query):
        for name in KINDS.keys() & (place or {}).keys():
            kind = KINDS[name]
            place[name] = KNOWN.get(f"{kind}:{call}", KNOWN[kind])
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = (new + case.headers["Idempotency-Key"])[:255]
    if isinstance(case.body, dict):
        body = case.body = whole(case.body)
        for name in (KINDS.keys() - KEYS.keys()) & body.keys():
            body[name] = KNOWN[KINDS[name]]
        for name in KEYS.keys() & body.keys():
            body[name] = (new + body[name])[: KEYS[name]]
        if "currency" in body:
            body["currency"] = "USD"
        if "effective_at" in body:
            # Each version of the programme takes effect after those before it, and none while this runs.
            body["effective_at"] = (NOW + timedelta(days=1, minutes=next(counter))).isoformat()


def whole(value):
    """The same JSON with whole numbers written as such: 1.0 fits `integer`, and no client writes it so."""
    match value:
        case dict():
            return {name: whole(inner) for name, inner in value.items()}
        case list():
            return [whole(inner) for inner in value]
        case float() if value.is_integer():
            return int(value)
    return value


@schemathesis.check
class Accepted:
    """No request that fits the document is refused, save by the rules that rules.toml names."""

    def __init__(self):
        self.statuses, self.used, self.refused = Counter(), Counter(), {}
        self.tested, self.reached = set(), set()

    def after_response(self, ctx, response, case):
        call, status = case.operation.label, response.status_code
        self.statuses[status] += 1
        self.tested.add(call)
        if status < 400:
            self.reached.add(call)
        elif status not in (404, 409):
            self.judge(call, response.json(), case)

    def judge(self, call, problem, case):
        """Tells a refusal by a named rule from one that nothing explains."""
        for fault in problem.get("errors") or [{"path": "", "message": problem["detail"], "code": problem["code"]}]:
            if rule := rule_for(**fault):
                self.used[rule] += 1
            else:
                why = f"{call} {fault['path']} {fault['code']}: {fault['message']}"
                self.refused.setdefault(re.sub(r"\d+", "N", why), f"{why}\n      {case.as_curl_command()}")

    def after_run(self, ctx):
        print("answers:", listed(self.statuses))
        print("refused by named rules:", listed(self.used))
        faults = [f"was refused: {what}" for what in self.refused.values()]
        faults += [f"had no success, so its rules were not reached: {call}" for call in self.tested - self.reached]
        if faults:
            raise AssertionError("\n".join(["what fits the document", *sorted(faults)]))


def rule_for(path: str, code: str, message: str) -> str | None:
    """The rule that a problem or a fault of a field goes back to, if there is one."""
    if not path:
        return code if code in RULES["codes"] else None
    for rule in RULES["faults"]:
        if re.fullmatch(rule["path"], path) and re.fullmatch(rule["code"], code) and rule.get("says", "") in message:
            return f"{rule['path']} {code}"
    return None


def listed(counts: Counter) -> str:
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items(), key=str))
