use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn purchase(items: &Value) -> Purchase {
    Purchase { items: serde_json::from_value(items.clone()).unwrap(), back: Vec::new() }
}

fn items(of: &[(&str, Value)]) -> Vec<RefundItem> {
    let item = |(sku, quantity): &(&str, Value)| RefundItem {
        sku: (*sku).to_owned(),
        quantity: Quantity::read(quantity).unwrap(),
    };
    of.iter().map(item).collect()
}

// The worth that a refund of these items for more than they can have cost is told.
fn worth(purchase: &Purchase, of: &[(&str, Value)]) -> String {
    let too_much = Decimal::from(1_000_000_000);
    match purchase.clone().take_back(&items(of), too_much, usd()) {
        Err(Refusal::RefundOverItems { worth }) => worth,
        other => panic!("{other:?}"),
    }
}

fn take_back(purchase: &mut Purchase, of: &[(&str, Value)], amount: &str) {
    purchase.take_back(&items(of), amount.parse().unwrap(), usd()).unwrap_or_else(|refusal| panic!("{refusal}"));
}

#[test]
fn a_line_costs_what_it_says_or_quantity_by_price_rounded_half_up() {
    let total = |item: Value| serde_json::from_value::<Item>(item).unwrap().total(usd()).to_string();
    assert_eq!(total(json!({ "sku": "tea", "quantity": 3, "unit_price": "10.00" })), "30.00");
    assert_eq!(total(json!({ "sku": "pens", "quantity": 3, "unit_price": "3.3333", "amount": "10.00" })), "10.00");
    assert_eq!(total(json!({ "sku": "pens", "quantity": 3, "amount": "10.00" })), "10.00");
    assert_eq!(total(json!({ "sku": "cheese", "quantity": "0.75", "unit_price": "12.99" })), "9.74");
    assert_eq!(total(json!({ "sku": "cheese", "quantity": "0.5", "unit_price": "0.01" })), "0.01");
    assert_eq!(total(json!({ "sku": "cheese", "quantity": "0.499", "unit_price": "0.01" })), "0.00");
}

#[test]
fn of_an_article_bought_at_two_prices_no_more_comes_back_than_its_lines_cost() {
    let two_prices = purchase(&json!([
        { "sku": "tea", "quantity": 1, "unit_price": "1.00" },
        { "sku": "tea", "quantity": 1, "unit_price": "10.00" },
    ]));
    let one = [("tea", json!(1))];
    assert_eq!(worth(&two_prices, &[("tea", json!(2))]), "11.00");
    assert_eq!(worth(&two_prices, &one), "10.00");
    // Whichever came back first, the other can.
    for (first, left) in [("10.00", "1.00"), ("1.00", "10.00"), ("5.00", "6.00"), ("0.00", "10.00")] {
        let mut purchase = two_prices.clone();
        take_back(&mut purchase, &one, first);
        assert_eq!(worth(&purchase, &one), left, "after {first}");
        take_back(&mut purchase, &one, left);
        let more = purchase.take_back(&items(&one), Decimal::ZERO, usd());
        assert_eq!(more, Err(Refusal::RefundItems { sku: "tea".to_owned(), left: Quantity::default() }));
    }
}

#[test]
fn a_refund_of_several_articles_bars_none_of_them_from_its_price() {
    let mut purchase = purchase(&json!([
        { "sku": "tea", "quantity": 1, "unit_price": "1.00" },
        { "sku": "tea", "quantity": 1, "unit_price": "10.00" },
        { "sku": "water", "quantity": 1, "unit_price": "5.00" },
    ]));
    // The cheap tea and the water: what is not told is put down to the water first.
    take_back(&mut purchase, &[("tea", json!(1)), ("water", json!(1))], "6.00");
    assert_eq!(worth(&purchase, &[("tea", json!(1))]), "10.00");
}

#[test]
fn a_line_with_a_total_comes_back_piece_by_piece_to_the_last_cent() {
    let bought = purchase(&json!([{ "sku": "pens", "quantity": 3, "amount": "10.00" }]));
    let one = [("pens", json!(1))];
    for parts in [["3.33", "3.33", "3.34"], ["3.34", "3.33", "3.33"], ["3.33", "3.34", "3.33"]] {
        let mut purchase = bought.clone();
        parts.iter().for_each(|part| take_back(&mut purchase, &one, part));
    }
    let mut purchase = bought;
    take_back(&mut purchase, &one, "3.34");
    assert_eq!(worth(&purchase, &one), "3.33");
    assert_eq!(worth(&purchase, &[("pens", json!(2))]), "6.66");
}

#[test]
fn an_article_on_two_lines_of_a_refund_comes_back_with_both() {
    let mut purchase = purchase(&json!([{ "sku": "tea", "quantity": 3, "unit_price": "10.00" }]));
    let twice = [("tea", json!(1)), ("tea", json!(1))];
    assert_eq!(worth(&purchase, &twice), "20.00");
    take_back(&mut purchase, &twice, "20.00");
    let more = purchase.take_back(&items(&twice), Decimal::ZERO, usd());
    assert_eq!(more, Err(Refusal::RefundItems { sku: "tea".to_owned(), left: Quantity::default() }));
    assert_eq!(worth(&purchase, &[("tea", json!(1))]), "10.00");
    let amount = Some("20.00".parse().unwrap());
    assert_eq!(purchase.back, [BroughtBack { sku: "tea".to_owned(), quantity: Quantity::from(2), amount }]);
}

#[test]
fn what_is_weighed_comes_back_by_weight() {
    let mut purchase = purchase(&json!([{ "sku": "cheese", "quantity": "0.75", "unit_price": "12.99" }]));
    assert_eq!(worth(&purchase, &[("cheese", json!("0.25"))]), "3.25");
    take_back(&mut purchase, &[("cheese", json!("0.5"))], "6.49");
    let left = Quantity::read(&json!("0.25")).unwrap();
    let more = purchase.take_back(&items(&[("cheese", json!("0.251"))]), Decimal::ZERO, usd());
    assert_eq!(more, Err(Refusal::RefundItems { sku: "cheese".to_owned(), left }));
    assert_eq!(worth(&purchase, &[("cheese", json!("0.25"))]), "3.25");
}

#[test]
fn what_came_back_of_old_orders_counts_with_the_most_that_it_can_have_cost() {
    let mut purchase = purchase(&json!([{ "sku": "tea", "quantity": 3, "unit_price": "10.00" }]));
    purchase.back =
        serde_json::from_value(json!([{ "sku": "tea", "quantity": 1 }, { "sku": "tea", "quantity": 1 }])).unwrap();
    assert_eq!(worth(&purchase, &[("tea", json!(1))]), "10.00");
    take_back(&mut purchase, &[("tea", json!(1))], "4.00");
    let kept = json!([{ "sku": "tea", "quantity": 3, "amount": "24.00" }]);
    assert_eq!(serde_json::to_value(&purchase.back).unwrap(), kept);
}

#[test]
fn without_items_none_can_come_back() {
    let refused = Purchase::default().take_back(&items(&[("tea", json!(1))]), Decimal::ZERO, usd());
    assert_eq!(refused, Err(Refusal::OrderWithoutItems));
}

proptest! {
    #[test]
    fn however_items_come_back_no_article_costs_more_than_its_lines(
        lines in vec((0..3_usize, 1..5_u32, 0..2_000_i64), 1..6),
        refunds in vec((vec((0..3_usize, 1..3_u32), 1..4), 0..4_000_i64), 1..12),
    ) {
        let sku = |n: usize| ["tea", "cup", "pot"][n];
        let cents = |cents: i64| Decimal::new(cents, 2);
        let bought = lines.iter().map(|(n, quantity, price)| Item {
            sku: sku(*n).to_owned(),
            category: None,
            quantity: (*quantity).into(),
            unit_price: Some(cents(*price)),
            amount: None,
        });
        let mut purchase = Purchase { items: Some(bought.collect()), back: Vec::new() };
        let mut refunded = Decimal::ZERO;
        for (back, amount) in refunds {
            let of: Vec<RefundItem> =
                back.iter().map(|(n, quantity)| RefundItem { sku: sku(*n).to_owned(), quantity: (*quantity).into() }).collect();
            let before = purchase.clone();
            match purchase.take_back(&of, cents(amount), usd()) {
                Ok(()) => refunded += cents(amount),
                Err(_) => prop_assert_eq!(&purchase, &before, "a refusal changes nothing"),
            }
            let paid: Decimal = purchase.back.iter().filter_map(|back| back.amount).sum();
            prop_assert_eq!(paid, refunded, "every cent is put down to an article");
            for BroughtBack { sku, quantity, amount } in &purchase.back {
                let of_sku = purchase.items.iter().flatten().filter(|item| item.sku == *sku);
                let (bought, cost) = of_sku.fold((Quantity::default(), Decimal::ZERO), |(bought, cost), item| {
                    (bought + item.quantity, cost + item.total(usd()))
                });
                prop_assert!(*quantity <= bought && amount.unwrap() <= cost, "{sku}: {quantity} of {bought}");
            }
        }
    }
}
