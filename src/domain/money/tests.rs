use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn parsed(text: &str, code: &str) -> Result<String, MoneyFault> {
    parse_amount(text, currency(code)).map(|amount| amount.to_string())
}

#[test]
fn amounts_are_read_at_the_currencys_scale() {
    assert_eq!(parsed("29.33", "USD").unwrap(), "29.33");
    assert_eq!(parsed("29.3", "USD").unwrap(), "29.30");
    assert_eq!(parsed("29", "USD").unwrap(), "29.00");
    assert_eq!(parsed("0", "USD").unwrap(), "0.00");
    assert_eq!(parsed("0.05", "EUR").unwrap(), "0.05");
    assert_eq!(parsed("1980", "JPY").unwrap(), "1980");
    assert_eq!(parsed("1.5", "KWD").unwrap(), "1.500");
    assert_eq!(parsed("1000000000000.00", "USD").unwrap(), "1000000000000.00");
}

#[test]
fn other_forms_are_refused() {
    for text in [
        "", ".", "5.", ".5", "+1", "1e3", "1E3", " 1", "1 ", "01", "00", "00.5", "1,5", "1.2.3", "1_000", "--1", "-",
        "-.5", "٣", "0x1", "NaN", "inf", "1\u{0}",
    ] {
        assert_eq!(parsed(text, "USD"), Err(MoneyFault::NotADecimal), "{text:?}");
    }
}

#[test]
fn each_fault_says_what_is_wrong() {
    let fault = |text, code| parsed(text, code).unwrap_err();
    assert_eq!(fault("-1.00", "USD"), MoneyFault::Negative);
    assert_eq!(fault("-0", "USD"), MoneyFault::Negative);
    let two = MoneyFault::TooManyDecimals { allowed: 2 };
    assert_eq!(fault("1.000", "USD"), two);
    assert_eq!(two.to_string(), "must have at most 2 decimals");
    let none = MoneyFault::TooManyDecimals { allowed: 0 };
    assert_eq!(fault("1980.0", "JPY"), none);
    let too_large = MoneyFault::TooLarge { max: MAX_AMOUNT };
    assert_eq!(fault("1000000000000.01", "USD"), too_large);
    assert_eq!(fault("18446744073709551616", "USD"), too_large);
    assert_eq!(fault(&"9".repeat(500), "USD"), too_large);
}

#[test]
fn amounts_are_written_with_all_decimals() {
    let written = |amount: &str, code| format_amount(amount.parse().unwrap(), currency(code));
    assert_eq!(written("29.3", "USD"), "29.30");
    assert_eq!(written("29.300", "USD"), "29.30");
    assert_eq!(written("1980", "JPY"), "1980");
    assert_eq!(written("0", "KWD"), "0.000");
    assert_eq!(written("-5", "USD"), "-5.00");
    assert_eq!(written("0.125", "USD"), "0.12");
    assert_eq!(written("-0.001", "USD"), "0.00");
}

#[test]
fn products_are_exact_and_rounded_down() {
    let product = |amount: &str, factor: &str, code| {
        let product = product_rounded_down(amount.parse().unwrap(), factor.parse().unwrap(), currency(code));
        product.map(|product| product.to_string())
    };
    assert_eq!(product("3", "0.333333", "USD").unwrap(), "0.99");
    assert_eq!(product("2", "1", "KWD").unwrap(), "2.000");
    assert_eq!(product("1.999", "1", "JPY").unwrap(), "1");
    let largest = Decimal::MAX.to_string();
    assert_eq!(product(&largest, "0.1", "JPY").unwrap(), "7922816251426433759354395033");
    assert_eq!(product(&largest, "0.11", "JPY"), None);
    assert_eq!(product("0.0000000000000000000000000001", "0.1", "USD"), None, "the product has too many decimals");
}

#[test]
fn currencies_are_the_circulating_ones_of_iso_4217() {
    assert_eq!(currency("USD").minor_units(), 2);
    assert_eq!(currency("JPY").minor_units(), 0);
    assert_eq!(currency("TND").minor_units(), MAX_MINOR_UNITS);
    for text in ["", "usd", "US", "USDX", "US ", " USD", "USD EUR", "XXX", "XAU", "ZZZ", "D E"] {
        assert_eq!(text.parse::<Currency>(), Err(NotACurrency), "{text:?}");
    }
}

#[test]
fn no_currency_is_listed_twice() {
    let lists = [WITH_TWO_DECIMALS, WITHOUT_DECIMALS, WITH_THREE_DECIMALS];
    let codes: Vec<_> = lists.iter().flat_map(|list| list.split_ascii_whitespace()).collect();
    assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len());
    assert!(codes.iter().all(|code| code.len() == 3));
}

#[test]
fn serde_reads_and_writes_the_code() {
    assert_eq!(serde_json::to_string(&currency("USD")).unwrap(), "\"USD\"");
    let read: Currency = serde_json::from_str("\"JPY\"").unwrap();
    assert_eq!(read, currency("JPY"));
    assert!(serde_json::from_str::<Currency>("\"usd\"").is_err());
}

proptest! {
    #[test]
    fn an_amount_reads_back_as_it_was_written(minor in 0..=MAX_AMOUNT, code in prop_oneof!["JPY", "USD", "KWD"]) {
        let currency = currency(&code);
        let amount = Decimal::from_i128_with_scale(i128::from(minor), currency.minor_units());
        let text = format_amount(amount, currency);
        let read = parse_amount(&text, currency).unwrap();
        prop_assert_eq!(read, amount);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}|-?[0-9.]{0,40}") {
        let _ = parse_amount(&text, currency("USD"));
    }
}
