//! Every statement is prepared against the migrated schema, and gives the types that it says it does.

mod plans;

use std::fs;

use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Date, Integer, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use postgres::types::Type;
use postgres::{Client, NoTls};

use crate::postgres::cluster::{Cluster, ClusterConfig, Durability};
use crate::postgres::{connect, migrate};

/// A statement, as its declaration registers it.
pub struct Registered {
    /// Where it is, and what it is called.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// The types of its binds.
    pub parameters: fn() -> Vec<Type>,
    /// The types of what it returns.
    pub returns: fn() -> Vec<Type>,
}

inventory::collect!(Registered);

/// The type of a column or a bind.
trait Typed {
    fn of() -> Type;
}

/// The types of the columns that are read together.
pub trait Types {
    /// In their order.
    fn all() -> Vec<Type>;
}

macro_rules! typed {
    ($($sql:ty => $type:ident),* $(,)?) => {
        $(impl Typed for $sql {
            fn of() -> Type {
                Type::$type
            }
        })*
    };
}

typed! {
    BigInt => INT8, Bool => BOOL, Bytea => BYTEA, Date => DATE, Integer => INT4, Numeric => NUMERIC,
    SmallInt => INT2, SqlUuid => UUID, Text => TEXT, Timestamptz => TIMESTAMPTZ,
}

impl<T: Typed> Typed for Nullable<T> {
    fn of() -> Type {
        T::of()
    }
}

impl<T: Typed> Typed for Array<T> {
    fn of() -> Type {
        match T::of() {
            Type::INT2 => Type::INT2_ARRAY,
            Type::INT4 => Type::INT4_ARRAY,
            Type::INT8 => Type::INT8_ARRAY,
            Type::BOOL => Type::BOOL_ARRAY,
            Type::BYTEA => Type::BYTEA_ARRAY,
            Type::DATE => Type::DATE_ARRAY,
            Type::NUMERIC => Type::NUMERIC_ARRAY,
            Type::UUID => Type::UUID_ARRAY,
            Type::TEXT => Type::TEXT_ARRAY,
            Type::TIMESTAMPTZ => Type::TIMESTAMPTZ_ARRAY,
            other => panic!("no statement has arrays of {other} yet"),
        }
    }
}

impl<T: Typed> Types for T {
    fn all() -> Vec<Type> {
        vec![T::of()]
    }
}

impl Types for () {
    fn all() -> Vec<Type> {
        Vec::new()
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Types),+> Types for ($($name,)+) {
            fn all() -> Vec<Type> {
                let mut all = Vec::new();
                $(all.extend($name::all());)+
                all
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
tuples!(A B C D E F G H I J K L M);
tuples!(A B C D E F G H I J K L M N);
tuples!(A B C D E F G H I J K L M N O P);

/// The type of a bind.
pub fn bind<T: Types>() -> Type {
    T::all().swap_remove(0)
}

#[test]
fn statements_that_write_are_the_ledgers_alone() {
    // `UPDATE` alone is also how a lock and a privilege are spelt.
    let updates = |text: &str| text.split("UPDATE ").skip(1).any(|rest| rest.split_whitespace().nth(1) == Some("SET"));
    let writes = |text: &str| text.contains("INSERT INTO") || text.contains("DELETE FROM") || updates(text);
    let writing: Vec<&str> =
        inventory::iter::<Registered>().filter(|one| writes(one.text)).map(|one| one.name).collect();
    assert!(writing.len() > 20, "{writing:?}");
    let others: Vec<&&str> = writing.iter().filter(|name| !name.starts_with("accrue::ledger::")).collect();
    assert!(others.is_empty(), "{others:?} write");
}

#[test]
fn every_statement_fits_the_schema() {
    with_cluster("statements", |cluster| {
        cluster.ensure_database("accrue").expect("a database can be made");
        let url = cluster.owner_url("accrue");
        migrate::run(&mut connect::plain(&url).expect("it answers")).expect("it can be migrated");
        let mut client = Client::connect(&url, NoTls).expect("it answers");

        let (mut seen, mut faults) = (0, Vec::new());
        for Registered { name, text, parameters, returns } in inventory::iter::<Registered> {
            seen += 1;
            let binds = parameters();
            match client.prepare_typed(text, &binds) {
                Ok(prepared) => {
                    let columns: Vec<Type> = prepared.columns().iter().map(|column| column.type_().clone()).collect();
                    if (prepared.params(), &columns) != (&binds, &returns()) {
                        faults.push(format!("{name}: {:?} give {columns:?}", prepared.params()));
                    }
                }
                Err(fault) => faults.push(format!("{name}: {fault:?}")),
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));

        let sources = text_of("src");
        let declared = sources.matches("statement! {\n").count() + sources.matches("copy::select! {\n").count();
        assert_eq!(seen, declared, "a statement is not registered");
    });
}

// A private cluster for one test. Its folder goes when the test has passed.
fn with_cluster(name: &str, test: impl FnOnce(&Cluster)) {
    let data_dir = std::env::temp_dir().join(format!("accrue-{name}-{}", std::process::id()));
    let config = ClusterConfig { data_dir: data_dir.clone(), durability: Durability::None, binaries: None };
    let cluster = Cluster::start(&config).expect("a private cluster starts");
    test(&cluster);
    drop(cluster);
    fs::remove_dir_all(data_dir).expect("the folder is there");
}

// All sources under a folder, put together.
fn text_of(folder: &str) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("a file").path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => all += &fs::read_to_string(&path).expect("a source"),
            None if path.is_dir() => all += &text_of(path.to_str().expect("a path of ASCII")),
            _ => {}
        }
    }
    all
}
