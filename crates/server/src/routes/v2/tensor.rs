//! Data types, shapes, and values in JSON.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Dimensions of a tensor at most.
const MAX_DIMENSIONS: usize = 8;

/// The types of the tensors that this server takes or gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DataType {
    /// 1 byte: 0 or 1.
    Bool,
    /// 4 bytes.
    Fp32,
    /// 8 bytes.
    Fp64,
    /// Any number of bytes.
    Bytes,
}

impl DataType {
    /// The protocol's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// The name in Triton's model configuration.
    pub fn configuration_name(self) -> &'static str {
        match self {
            Self::Bool => "TYPE_BOOL",
            Self::Fp32 => "TYPE_FP32",
            Self::Fp64 => "TYPE_FP64",
            Self::Bytes => "TYPE_STRING",
        }
    }
}

/// A list of at most `MAX` items: what a client sends cannot grow in memory far beyond its bytes.
#[derive(Debug)]
pub struct AtMost<T, const MAX: usize>(pub Vec<T>);

impl<T, const MAX: usize> Default for AtMost<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for AtMost<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MAX: usize>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Items<T, MAX> {
            type Value = AtMost<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an array of at most {MAX} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    if all.len() == MAX {
                        return Err(A::Error::invalid_length(MAX + 1, &self));
                    }
                    all.push(item);
                }
                Ok(AtMost(all))
            }
        }

        deserializer.deserialize_seq(Items(std::marker::PhantomData))
    }
}

/// The lengths of a tensor's dimensions, as a client gives them.
pub type Shape = AtMost<u64, MAX_DIMENSIONS>;

impl Shape {
    /// Whether the dimensions are `expected`, where `None` is any length.
    pub fn matches(&self, expected: &[Option<u64>]) -> bool {
        let same = |(found, expected): (&u64, &Option<u64>)| expected.is_none_or(|e| e == *found);
        self.0.len() == expected.len() && self.0.iter().zip(expected).all(same)
    }
}

/// One value of a tensor in JSON.
pub enum Scalar<'a> {
    /// Of a numeric tensor.
    Number(f64),
    /// Of a tensor of BYTES.
    Text(&'a str),
}

/// Hands the values of a JSON array to `take`, in row-major order, be they nested or flat.
pub fn each_scalar(
    json: &RawValue,
    take: &mut dyn FnMut(Scalar<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_str(json.get());
    Scalars(take).deserialize(&mut deserializer).map_err(|error| error.to_string())
}

struct Scalars<'a>(&'a mut dyn FnMut(Scalar<'_>) -> Result<(), String>);

impl<'de> DeserializeSeed<'de> for Scalars<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalars<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers or of strings, flat or nested")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Scalars(&mut *self.0))?.is_some() {}
        Ok(())
    }

    /// Images as TensorFlow Serving takes them, `{"b64": "…"}`.
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(
            "expected numbers, or images as strings of base64 (\"data\": [\"/9j/4AAQ…\"]), found an object",
        ))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        (self.0)(Scalar::Number(value)).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        (self.0)(Scalar::Text(value)).map_err(E::custom)
    }
}
