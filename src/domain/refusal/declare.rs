//! How refusals are declared: a row each.

/// Declares [`Refusal`] and [`RefusalCode`]. A row says everything of a refusal: its sentence, its name, its facts with
/// what each means, its class and its title.
macro_rules! refusals {
    ($($(#[$about:meta])+ $name:ident $({ $($facts:tt)* })? => $class:ident $title:literal,)+) => {
        /// A decision against a command. Its code and facts are what is remembered and shown.
        ///
        /// The form that serde gives it is kept in the database for good, so names of codes and facts never change. An
        /// answer shows a fact under another name where `schema(rename)` says so: see [`Refusal::facts`].
        #[derive(
            Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema,
            strum::EnumDiscriminants,
        )]
        #[serde(tag = "code", rename_all = "snake_case")]
        #[strum_discriminants(
            name(RefusalCode),
            doc = "The stable name of a [`Refusal`].",
            derive(Hash, PartialOrd, Ord, strum::IntoStaticStr, strum::EnumIter),
            strum(serialize_all = "snake_case")
        )]
        pub enum Refusal {
            $($(#[$about])+ $name $({ $($facts)* })?,)+
        }

        impl RefusalCode {
            /// What kind of no it is.
            pub fn class(self) -> Class {
                match self {
                    $(RefusalCode::$name => Class::$class,)+
                }
            }

            /// What kind of problem it is, for people.
            pub fn title(self) -> &'static str {
                match self {
                    $(RefusalCode::$name => $title,)+
                }
            }
        }
    };
}
