#!/usr/bin/env python3
"""Checks an NDJSON export of an Accrue ledger offline, with nothing but Python's standard library.

    accrue export > ledger.ndjson && python3 verify_export.py ledger.ndjson

Each line is an entry: RFC 8785 JSON with its own `hash` among the keys. Without that key, the bytes are what was hashed:
hash = SHA-256(previous hash || line), where 32 zero bytes stand before the first entry of a journal.
Prints the head of each journal, to be compared with those that the ledger shows. Exit 0: right. 1: wrong.
"""
import hashlib
import json
import sys

MEMBER = ("active", "pending", "held", "debt")


def canonical(entry):
    # Keys are ASCII, numbers are integers: what json writes is then what RFC 8785 asks for.
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def once(pairs):
    keys = dict(pairs)
    assert len(keys) == len(pairs), "a key stands in it twice"
    return keys


def check(line, ledger, journals):
    entry = json.loads(line, object_pairs_hook=once)
    assert canonical(entry) == line, "it is not in canonical form"
    stated = entry.pop("hash")
    assert entry["v"] == 1, "its version is unknown"
    assert ledger in (None, entry["ledger"]), "it belongs to another ledger"
    start = {"seq": 0, "hash": bytes(32), "recorded_at": "", "accounts": {}, "members": {}}
    journal = journals.setdefault(entry["journal"], start)
    assert entry["seq"] == journal["seq"] + 1, f"it should have the number {journal['seq'] + 1}"
    assert entry["recorded_at"] >= journal["recorded_at"], "it is recorded before the entry in front of it"
    digest = hashlib.sha256(journal["hash"] + canonical(entry).encode()).digest()
    assert digest.hex() == stated, "its content and the hash before it do not give its hash"
    wallet = journals[entry["journal"]]["members"].setdefault(entry["member"], dict.fromkeys(MEMBER, 0))
    for posting in entry["postings"]:
        assert posting["points"] > 0, "a posting moves nothing"
        for account, points in ((posting["debit"], -posting["points"]), (posting["credit"], posting["points"])):
            if account in MEMBER:
                wallet[account] += -points if account == "debt" else points
            else:
                journal["accounts"][account] = journal["accounts"].get(account, 0) + points
    assert min(wallet.values()) >= 0, "a balance falls below zero"
    assert entry["payload"].get("balance", wallet) == wallet, "it states another wallet than the postings make"
    journal.update(seq=entry["seq"], hash=digest, recorded_at=entry["recorded_at"])
    return entry["ledger"]


def main(path):
    ledger, last, journals = None, 0, {}
    with open(path, encoding="utf-8", newline="\n") as export:
        for number, line in enumerate(export, 1):
            try:
                assert line.endswith("\n"), "it was cut off"
                ledger = check(line[:-1], ledger, journals)
                journal = json.loads(line)["journal"]
                assert journal >= last, "its journal comes after a later one"
                last = journal
            except (AssertionError, KeyError, TypeError, ValueError) as fault:
                print(f"wrong: line {number}: {fault}")
                return 1
    for number, journal in journals.items():
        members = sum(w["active"] + w["pending"] + w["held"] - w["debt"] for w in journal["members"].values())
        if sum(journal["accounts"].values()) + members != 0:
            print(f"wrong: the accounts of journal {number} do not sum to zero")
            return 1
        print(f"journal {number}: {journal['seq']} entries, head {journal['hash'].hex()}")
    print(f"right: {sum(journal['seq'] for journal in journals.values())} entries")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
