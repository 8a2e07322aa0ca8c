//! A part of a state that is stored by itself, so that what an image does not change is neither written nor read anew.
//!
//! Its key is a number made of its text: whoever has a part of this key has this part, and a text that was damaged is
//! not taken for it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Texts of parts by their keys.
pub(crate) type Parts = BTreeMap<i64, String>;

/// What may be in a part.
pub(crate) trait Content: Clone + Serialize + DeserializeOwned {
    /// Whether images may lead to it: it may come from others.
    fn is_sound(&self) -> bool;
}

/// A part; copies share it until one of them changes it.
#[derive(Debug, Clone)]
pub(crate) struct Part<T> {
    content: Arc<T>,
    /// None where it was changed since it was read or stored.
    key: Option<i64>,
}

/// The key of a text.
pub(crate) fn key_of(text: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest[..8].iter().fold(0, |number, byte| number << 8 | i64::from(*byte))
}

impl<T: Content> Part<T> {
    pub fn new(content: T) -> Self {
        Self { content: Arc::new(content), key: None }
    }

    /// To be changed.
    pub fn change(&mut self) -> &mut T {
        self.key = None;
        Arc::make_mut(&mut self.content)
    }

    /// The key that it is stored under; none where it was changed.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub fn key(&self) -> Option<i64> {
        self.key
    }

    /// Gives the key that it is stored under, and adds its text where it was changed.
    pub fn store(&mut self, changed: &mut Parts) -> Result<i64> {
        if let Some(key) = self.key {
            return Ok(key);
        }
        let text = serde_json::to_string(&*self.content)
            .map_err(|error| Error::InvalidState { source: error.into() })?;
        let key = key_of(&text);
        changed.insert(key, text);
        self.key = Some(key);
        Ok(key)
    }

    /// The part of a key: the one that is known, or what its text says.
    pub fn read(key: i64, known: Option<&Self>, texts: &Parts) -> Result<Self> {
        if let Some(known) = known.filter(|known| known.key == Some(key)) {
            return Ok(known.clone());
        }
        let invalid = |source: &str| Error::InvalidState { source: source.into() };
        let text = texts.get(&key).ok_or_else(|| invalid("a part of it is missing or damaged"))?;
        let content: T = serde_json::from_str(text)
            .map_err(|error| Error::UnreadableState { source: error.into() })?;
        if !content.is_sound() {
            return Err(invalid("a part of it is none that images lead to"));
        }
        Ok(Self { content: Arc::new(content), key: Some(key) })
    }
}

impl<T> Deref for Part<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.content
    }
}

impl<T: PartialEq> PartialEq for Part<T> {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
    }
}
