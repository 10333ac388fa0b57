"""A checkout, driven with nothing but the client that openapi-python-client generates; mypy holds it to its types."""

import os
import subprocess
import uuid
from typing import TypeVar

from accrue_client import AuthenticatedClient
from accrue_client.api.adjustments import adjust_wallet
from accrue_client.api.causes import define_cause
from accrue_client.api.donations import donate_points
from accrue_client.api.members import enrol_member, get_wallet, list_entries
from accrue_client.api.orders import post_order, refund_order
from accrue_client.api.quotes import quote_order
from accrue_client.api.redemptions import get_redemption, redeem_points
from accrue_client.api.sandbox import get_clock
from accrue_client.api.transfers import transfer_points
from accrue_client.models import (
    AdjustmentReason,
    AdjustmentRequest,
    BaseCalculationStep,
    CauseRequest,
    Clock,
    DonationRequest,
    HoldRequest,
    Item,
    MemberRequest,
    OrderRequest,
    Problem,
    ProblemCode,
    QuoteRequest,
    Redemption,
    RedemptionRequest,
    RedemptionStatus,
    RefundItem,
    RefundRequest,
    RoundingCalculationStep,
    SpendingLimit,
    Statement,
    TransferRequest,
    TransferStatus,
    Wallet,
)

T = TypeVar("T")


def main() -> None:
    operator, checkout = client("operator"), client("checkout")
    clock = done(get_clock.sync(client=operator))
    assert isinstance(clock, Clock)
    giver, receiver = (
        done(enrol_member.sync(client=checkout, body=MemberRequest(external_id=key()))) for _ in range(2)
    )
    grant = AdjustmentRequest(member_id=giver.id, points=1000, reason=AdjustmentReason.GOODWILL)
    done(adjust_wallet.sync(client=operator, body=grant, idempotency_key=key()))
    print("members enrolled:", giver.status.value, giver.wallet.active, "points")

    # An order, and its retry after a lost answer.
    first = OrderRequest(
        order_id=key(),
        member_id=giver.id,
        occurred_at=clock.now,
        currency="USD",
        amount="29.33",
        items=[Item(sku="tea", quantity="0.75", unit_price="20.00"), Item(sku="mug", quantity="1", amount="14.33")],
    )
    under = key()
    order, again = (post_order.sync_detailed(client=checkout, body=first, idempotency_key=under) for _ in range(2))
    assert order.content == again.content and again.headers["Idempotency-Replayed"] == "true"
    earned = done(order.parsed).earned
    for step in earned.calculation:
        match step:
            case BaseCalculationStep():
                print("  base:", step.amount, "x", step.points_per_unit, "=", step.unrounded_points)
            case RoundingCalculationStep():
                print("  rounding:", step.mode.value, "to", step.points)
    assert [type(step) for step in earned.calculation] == [BaseCalculationStep, RoundingCalculationStep] and earned.points == 29
    print("order posted twice, earned once:", earned.points, "points, active at", earned.active_at.date())

    # Points set aside at payment, and taken with the order.
    held = RedemptionRequest(member_id=str(giver.id), points=200, order_amount="42.50", hold=HoldRequest(ttl="15m"))
    hold = done(redeem_points.sync(client=checkout, body=held, idempotency_key=key()))
    assert hold.status is RedemptionStatus.HELD and hold.wallet.held == 200
    second = OrderRequest(
        order_id=key(),
        member_id=giver.id,
        occurred_at=clock.now,
        currency="USD",
        amount="42.50",
        items=[Item(sku="mug", quantity="3", amount="42.50")],
        redemption_ids=[hold.id],
    )
    paid = done(post_order.sync(client=checkout, body=second)).paid
    assert paid and paid.value == "2.00"
    redemption = done(get_redemption.sync(hold.id, client=checkout))
    assert isinstance(redemption, Redemption) and redemption.status is RedemptionStatus.CAPTURED
    print("hold captured with its order: points paid", paid.value)

    back = RefundRequest(refund_id=key(), amount="14.17", items=[RefundItem(sku="mug", quantity="1")])
    refund = done(refund_order.sync(second.order_id, client=checkout, body=back))
    print("refunded in part:", refund.amount, "of which", refund.paid_out, "in money;", refund.returned.points, "points back")

    # The member's own app.
    app = client("member", "--member", str(giver.id))
    cause = done(define_cause.sync(client=operator, body=CauseRequest(name="Trees"), idempotency_key=key()))
    gift = DonationRequest(cause_id=cause.id, points=50)
    donation = done(donate_points.sync(client=app, body=gift, idempotency_key=key()))
    given = TransferRequest(to_member_id=receiver.id, points=70, direct=True)
    transfer = done(transfer_points.sync(client=app, body=given, idempotency_key=key()))
    assert transfer.status is TransferStatus.ACCEPTED
    print("donated with receipt", donation.receipt_number, "and gave", transfer.points)

    answer = get_wallet.sync_detailed("me", client=app)
    wallet = answer.parsed
    assert isinstance(wallet, Wallet)
    unchanged = get_wallet.sync_detailed("me", client=app, if_none_match=answer.headers["ETag"])
    assert unchanged.status_code == 304
    print("wallet:", wallet.active, "active,", wallet.pending, "pending; asked again: 304")

    quote = done(quote_order.sync(client=app, body=QuoteRequest(currency="USD", amount="42.50")))
    assert quote.spendable.points == wallet.active and quote.spendable.limited_by is SpendingLimit.BALANCE
    print("quoted:", quote.earned.points, "points to earn, of", quote.spendable.points, "that may pay", quote.spendable.value)

    refused = redeem_points.sync(
        client=app, body=RedemptionRequest(points=wallet.active + 1), idempotency_key=key()
    )
    assert isinstance(refused, Problem) and refused.code is ProblemCode.INSUFFICIENT_POINTS
    assert refused.available == wallet.active
    print("refused:", refused.code.value, "available", refused.available)

    page = list_entries.sync("me", client=app, limit=2)
    assert isinstance(page, Statement) and page.next_cursor
    rest = list_entries.sync("me", client=app, limit=2, cursor=page.next_cursor)
    assert isinstance(rest, Statement) and rest.entries[0].seq < page.entries[-1].seq
    print("statement: a page and the next,", ", ".join(line.kind for line in page.entries + rest.entries))


def done(answer: T | Problem | None) -> T:
    """The answer, if it is none of a problem."""
    assert answer is not None and not isinstance(answer, Problem), answer
    return answer


def client(role: str, *more: str) -> AuthenticatedClient:
    """A client with a token of the sandbox's development key."""
    command = [os.environ["ACCRUE"], "token", "--as", role, *more]
    token = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return AuthenticatedClient(base_url=os.environ["URL"], token=token, raise_on_unexpected_status=True)


def key() -> str:
    return str(uuid.uuid4())


main()
