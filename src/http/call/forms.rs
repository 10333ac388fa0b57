//! Patterns of what the readers check. They have no look-ahead, so that the clients of every language can use them.

/// A version 7 UUID that carries the number of a journal, which is not 0: the id of a member, a redemption or a transfer.
pub const ID: &str =
    "^[0-9a-f]{8}-[0-9a-f]{4}-7(00[1-9a-f]|0[1-9a-f][0-9a-f]|[1-9a-f][0-9a-f]{2})-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";

/// A member's id, or `me`.
pub const ID_OR_ME: &str =
    "^(me|[0-9a-f]{8}-[0-9a-f]{4}-7(00[1-9a-f]|0[1-9a-f][0-9a-f]|[1-9a-f][0-9a-f]{2})-[89ab][0-9a-f]{3}-[0-9a-f]{12})$";

/// Visible ASCII characters.
pub const VISIBLE: &str = "^[!-~]+$";

/// A text without control characters.
pub const TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";

/// A day or an instant from the year 1900 on.
pub const TIME: &str = "^(19|[2-9][0-9])[0-9]{2}-";

/// A currency.
pub const CURRENCY: &str = "^[A-Z]{3}$";

/// The name of a time zone.
pub const ZONE: &str = "^[A-Za-z0-9_+/-]+$";

/// Money, at most 1000000000000.
pub const MONEY: &str = r"^((0|[1-9][0-9]{0,11})(\.[0-9]{1,3})?|1000000000000(\.0{1,3})?)$";

/// Money above zero.
pub const MONEY_ABOVE_ZERO: &str =
    r"^([1-9][0-9]{0,11}(\.[0-9]{1,3})?|0\.([1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9])|1000000000000(\.0{1,3})?)$";

/// The price of one, which may be finer than what the currency can pay.
pub const UNIT_PRICE: &str = r"^((0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?|1000000000000(\.0{1,6})?)$";

/// A quantity of an article: above zero, at most 1000000.
pub const QUANTITY: &str =
    r"^([1-9][0-9]{0,5}(\.[0-9]{1,3})?|0\.([1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9])|1000000(\.0{1,3})?)$";

/// A period of the calendar, such as `14D` or `12M_M`.
pub const PERIOD: &str = "^(0|[1-9][0-9]{0,5})[HDMY](_[DMY])?$";

/// A period that is not empty. `0D_D` is not: it lasts until the end of the day.
pub const LASTING_PERIOD: &str = "^([1-9][0-9]{0,5}[HDMY](_[DMY])?|0[HDMY]_[DMY])$";

/// A period, or `never`.
pub const PERIOD_OR_NEVER: &str = "^(never|(0|[1-9][0-9]{0,5})[HDMY](_[DMY])?)$";

/// A period of at least a day, or `next_period`.
pub const TERM: &str = "^(next_period|([1-9][0-9]{0,5}[DMY]|(2[4-9]|[3-9][0-9]|[1-9][0-9]{2,5})H)(_[DMY])?)$";

/// How long a hold lasts, such as `15m`.
pub const SPAN: &str = "^[1-9][0-9]{0,6}[smhd]$";

/// A share above zero, at most 1, with four decimals.
pub const SHARE: &str = r"^(1(\.0{1,4})?|0\.([1-9][0-9]{0,3}|0[1-9][0-9]{0,2}|00[1-9][0-9]?|000[1-9]))$";

/// What a point is worth: above zero, at most 1000, with six decimals.
pub const POINT_VALUE: &str = r"^([1-9][0-9]{0,2}(\.[0-9]{1,6})?|1000(\.0{1,6})?|0\.([1-9][0-9]{0,5}|0[1-9][0-9]{0,4}|00[1-9][0-9]{0,3}|000[1-9][0-9]{0,2}|0000[1-9][0-9]?|00000[1-9]))$";

/// Points per unit of currency: at most 1000000, with six decimals.
pub const RATE: &str = r"^((0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?|1000000(\.0{1,6})?)$";

/// What points are multiplied by: at most 100, with two decimals.
pub const FACTOR: &str = r"^((0|[1-9][0-9]?)(\.[0-9]{1,2})?|100(\.0{1,2})?)$";

/// The code of a tier, or of something that one brings.
pub const CODE: &str = "^[a-z0-9_-]{1,32}$";

/// A label of a member.
pub const TAG: &str = "^[a-z0-9_.:-]{1,64}$";

/// Where a page begins.
pub const CURSOR: &str = "^[A-Za-z0-9_-]+$";
