//! A field of a leaf that may be too long for it: in place, or by digest under `blob/` in the ledger's tree.
//!
//! ```text
//! "text in place"
//! {"sha256":"sha256:9f86…","size":70000}
//! ```

use base64_simd::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, sha256};

/// The longest field in place, in bytes as JSON writes them: three such fields and all else still fit into a leaf.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;

/// Why a field's value cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The blob's bytes are not those that the leaf names.
    #[error("the contents under `{0}` are not those that the entry names")]
    Digest(Digest),
    /// Not base64.
    #[error("a field is not canonical base64")]
    Base64,
    /// A blob that is not the list of updates that it should be.
    #[error("the contents under `{0}` are not the updates that the entry names")]
    Updates(Digest),
    /// Not UTF-8 where text is meant.
    #[error("a text field is not UTF-8")]
    Utf8,
}

/// A text (`Text`) or bytes (`Base64`) in place, or the name of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Field {
    /// In place.
    Inline(String),
    /// Elsewhere.
    Blob(BlobName),
}

/// Names contents under `blob/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobName {
    /// SHA-256 of the contents.
    pub sha256: Digest,
    /// Their length in bytes.
    pub size: u64,
}

/// Contents that a batch of leaves names.
pub type Blobs = Vec<Vec<u8>>;

impl Field {
    /// Stores a text, in place if it is short.
    pub fn text(text: &str, blobs: &mut Blobs) -> Self {
        Self::text_within(INLINE_BYTES_MAX, text, blobs)
    }

    /// Stores a text, in place if JSON takes at most so many bytes for it.
    pub fn text_within(inline_bytes_max: usize, text: &str, blobs: &mut Blobs) -> Self {
        if json_bytes(text) <= inline_bytes_max.min(INLINE_BYTES_MAX) {
            Self::Inline(text.to_owned())
        } else {
            Self::blob(text.as_bytes(), blobs)
        }
    }

    /// Stores bytes, in place as base64 if they are short.
    pub fn bytes(bytes: &[u8], blobs: &mut Blobs) -> Self {
        Self::bytes_within(INLINE_BYTES_MAX, bytes, blobs)
    }

    /// Stores bytes, in place if base64 takes at most so many for them.
    pub fn bytes_within(inline_bytes_max: usize, bytes: &[u8], blobs: &mut Blobs) -> Self {
        if STANDARD.encoded_length(bytes.len()) <= inline_bytes_max.min(INLINE_BYTES_MAX) {
            Self::Inline(STANDARD.encode_to_string(bytes))
        } else {
            Self::blob(bytes, blobs)
        }
    }

    fn blob(bytes: &[u8], blobs: &mut Blobs) -> Self {
        let name = BlobName { sha256: sha256(bytes), size: bytes.len() as u64 };
        blobs.push(bytes.to_vec());
        Self::Blob(name)
    }

    /// The blob it names, if it does.
    pub fn blob_name(&self) -> Option<&BlobName> {
        match self {
            Self::Inline(_) => None,
            Self::Blob(name) => Some(name),
        }
    }

    /// The text; `blob` reads contents by name.
    pub fn read_text<E: From<FieldError>>(
        &self,
        blob: impl FnOnce(&BlobName) -> Result<Vec<u8>, E>,
    ) -> Result<String, E> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::Blob(name) => String::from_utf8(read_blob(name, blob)?).map_err(|_| FieldError::Utf8.into()),
        }
    }

    /// The bytes; `blob` reads contents by name.
    pub fn read_bytes<E: From<FieldError>>(
        &self,
        blob: impl FnOnce(&BlobName) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        match self {
            Self::Inline(text) => STANDARD.decode_to_vec(text).map_err(|_| FieldError::Base64.into()),
            Self::Blob(name) => read_blob(name, blob),
        }
    }
}

/// How long a text is between the quotes of canonical JSON.
fn json_bytes(text: &str) -> usize {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' | 8 | 9 | 10 | 12 | 13 => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(byte).sum()
}

/// Contents by name, if they are the ones that are named.
pub(super) fn read_blob<E: From<FieldError>>(
    name: &BlobName,
    blob: impl FnOnce(&BlobName) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    let bytes = blob(name)?;
    if bytes.len() as u64 == name.size && sha256(&bytes) == name.sha256 {
        Ok(bytes)
    } else {
        Err(FieldError::Digest(name.sha256).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_fields_move_out_and_are_checked_when_read() {
        let long = "x".repeat(INLINE_BYTES_MAX + 1);
        let mut blobs = Blobs::new();
        let field = Field::text(&long, &mut blobs);
        assert_eq!(field.read_text::<FieldError>(|_| Ok(blobs[0].clone())).unwrap(), long);
        assert!(field.read_text::<FieldError>(|_| Ok(b"other".to_vec())).is_err());
        assert_eq!(Field::text("short", &mut blobs), Field::Inline("short".to_owned()));
        assert_eq!(blobs.len(), 1);
    }

    #[test]
    fn a_field_is_as_long_as_it_is_written() {
        for text in ["plain", "\"quoted\"", "a\\b\nc", "\u{1}é"] {
            assert_eq!(json_bytes(text) + 2, serde_json::to_string(text).unwrap().len(), "{text}");
        }
        let mut blobs = Blobs::new();
        assert!(Field::text(&"\"".repeat(INLINE_BYTES_MAX / 2), &mut blobs).blob_name().is_none());
        assert!(Field::text(&"\"".repeat(INLINE_BYTES_MAX / 2 + 1), &mut blobs).blob_name().is_some());
        assert!(Field::bytes(&[0; INLINE_BYTES_MAX], &mut blobs).blob_name().is_some());
        assert!(Field::text_within(4, "12345", &mut blobs).blob_name().is_some());
    }

    #[test]
    fn bytes_travel_as_base64() {
        let mut blobs = Blobs::new();
        let field = Field::bytes(b"\xff\x00", &mut blobs);
        assert_eq!(field, Field::Inline("/wA=".to_owned()));
        assert_eq!(field.read_bytes::<FieldError>(|_| unreachable!()).unwrap(), b"\xff\x00");
        assert!(Field::Inline("/wB=".to_owned()).read_bytes::<FieldError>(|_| unreachable!()).is_err());
    }
}
