//! Headers as DICOM JSON (PS3.18 annex F).
//!
//! dicom-json writes the structure. What is done here: bulk values become `BulkDataURI`, text is
//! decoded by all declared character sets (dicom-rs follows one), padding goes, and numbers in
//! text form become JSON numbers, since viewers calculate with them.

use super::error::WebError;
use super::source::Instance;
use crate::dicom::split::{Charsets, header_without_bulk, take_charset};
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::Header;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_encoding::text::SpecificCharacterSet;
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use serde_json::{Map, Value, json};

/// A data set in DICOM JSON.
pub(super) type Attributes = Map<String, Value>;

/// The header of `instance`, with the address of each bulk value under `instance_url`.
///
/// # Errors
/// [`WebError::Internal`] if the stored header cannot be parsed. Its content is not logged.
pub(super) fn attributes(instance: &Instance, instance_url: &str) -> Result<Attributes, WebError> {
    let mut bytes = header_without_bulk(&instance.header, &instance.bulks, instance.padding)
        .map_err(|_| WebError::Internal)?;
    let charset = take_charset(&mut bytes, instance.syntax).map_err(|_| WebError::Internal)?;
    let charsets = Charsets::from_value(&charset.unwrap_or_default());
    let syntax = TransferSyntaxRegistry
        .get(instance.syntax.uid)
        .or_else(|| TransferSyntaxRegistry.get(crate::dicom::syntax::EXPLICIT_LITTLE))
        .ok_or(WebError::Internal)?;
    // ISO 8859-1 maps each byte to one character and back: text stays as bytes until we decode it.
    let latin = SpecificCharacterSet::ISO_IR_100;
    let mut object = InMemDicomObject::read_dataset_with_ts_cs(&bytes[..], syntax, latin)
        .map_err(|_| WebError::Internal)?;
    name_unknown(&mut object);
    let Ok(Value::Object(mut attributes)) = dicom_json::to_value(&object) else {
        return Err(WebError::Internal);
    };
    attributes
        .values_mut()
        .for_each(|element| normalise(element, &charsets));
    attributes.insert(
        "00080005".to_owned(),
        json!({"vr": "CS", "Value": ["ISO_IR 192"]}),
    );
    for bulk in &instance.bulks {
        let key = format!("{:04X}{:04X}", bulk.tag.group(), bulk.tag.element());
        let uri = format!("{instance_url}/bulkdata/{key}");
        let vr = bulk.vr.to_string();
        attributes.insert(key, json!({"vr": vr, "BulkDataURI": uri}));
    }
    Ok(attributes)
}

/// Gives elements of unknown VR the one that the dictionary has for them: some converters write
/// whole headers as UN (PS3.5 section 6.2.2, note 2). Sequences are left alone; what they hold
/// was not walked when the header was checked.
fn name_unknown(object: &mut InMemDicomObject) {
    let Some(implicit) = TransferSyntaxRegistry.get(crate::dicom::syntax::IMPLICIT_LITTLE) else {
        return;
    };
    let named = |element: &InMemElement| {
        let entry = StandardDataDictionary.by_tag(element.tag())?;
        if element.vr() != VR::UN || matches!(entry.vr().relaxed(), VR::SQ | VR::UN) {
            return None;
        }
        let value = element.value().primitive()?.to_bytes();
        let Tag(group, number) = element.tag();
        let mut bytes = [group.to_le_bytes(), number.to_le_bytes()].concat();
        bytes.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&value);
        let latin = SpecificCharacterSet::ISO_IR_100;
        let read = InMemDicomObject::read_dataset_with_ts_cs(&bytes[..], implicit, latin).ok()?;
        read.into_iter().next()
    };
    let named: Vec<InMemElement> = object.iter().filter_map(named).collect();
    for element in named {
        object.put(element);
    }
}

/// Cleans one element, and the elements of its items. The depth is bounded by the split.
fn normalise(element: &mut Value, charsets: &Charsets) {
    let Value::Object(element) = element else {
        return;
    };
    let vr = element
        .get("vr")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let Some(Value::Array(values)) = element.get_mut("Value") else {
        return;
    };
    match vr.as_str() {
        "SQ" => {
            for item in values {
                if let Value::Object(item) = item {
                    item.values_mut()
                        .for_each(|element| normalise(element, charsets));
                }
            }
            return;
        }
        "PN" => values
            .iter_mut()
            .for_each(|name| person_name(name, charsets)),
        "LO" | "LT" | "SH" | "ST" | "UC" | "UT" => values.iter_mut().for_each(|value| {
            if let Value::String(text) = value {
                *text = decode(text, charsets);
            }
        }),
        "DS" | "IS" => values.iter_mut().for_each(number),
        _ => {}
    }
    for value in values.iter_mut() {
        if let Value::String(text) = value {
            let end = text.trim_end_matches(['\0', ' ']).len();
            text.truncate(end);
            if text.is_empty() {
                *value = Value::Null;
            }
        }
    }
    if values.iter().all(Value::is_null) {
        element.remove("Value");
    }
}

/// Text that was read byte by byte, decoded by the data set's character sets. A character past
/// one byte means that an item had a character set of its own, which dicom-rs has followed.
fn decode(text: &str, charsets: &Charsets) -> String {
    let bytes: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect();
    bytes.map_or_else(|| text.to_owned(), |bytes| charsets.decode(&bytes))
}

/// A name's groups, decoded as one: a byte of a two-byte character may look like the mark
/// between groups.
fn person_name(name: &mut Value, charsets: &Charsets) {
    const GROUPS: [&str; 3] = ["Alphabetic", "Ideographic", "Phonetic"];
    let Value::Object(groups) = name else { return };
    let raw: Vec<&str> = GROUPS
        .iter()
        .map(|g| groups.get(*g).and_then(Value::as_str).unwrap_or(""))
        .collect();
    let whole = decode(raw.join("=").trim_end_matches('='), charsets);
    let decoded: Map<String, Value> = GROUPS
        .iter()
        .zip(whole.split('='))
        .map(|(group, text)| (group, text.trim_end_matches(['\0', ' '])))
        .filter(|(_, text)| !text.is_empty())
        .map(|(group, text)| ((*group).to_owned(), Value::from(text)))
        .collect();
    *name = if decoded.is_empty() {
        Value::Null
    } else {
        Value::Object(decoded)
    };
}

/// A number in text form as a JSON number, if it is one that JSON can write.
fn number(value: &mut Value) {
    let Value::String(text) = value else { return };
    let text = text.trim_matches(['\0', ' ']);
    if let Ok(whole) = text.parse::<i64>() {
        *value = Value::from(whole);
    } else if let Some(real) = text.parse().ok().and_then(serde_json::Number::from_f64) {
        *value = Value::Number(real);
    }
}
