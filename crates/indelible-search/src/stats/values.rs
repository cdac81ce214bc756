//! Values become codes: small numbers, the same in all threads of one count.
//!
//! Promise: a value's text is looked at once for each dictionary, and once for all remembered counts. Never: keeps a value that no
//! counted row has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, DictionaryArray};
use datafusion::arrow::datatypes::Int32Type;
use hashbrown::HashMap;

use super::GROUPS_MAX;
use super::partials::Texts;
use super::tally::{Code, NONE};
use crate::error::FindError;

/// Not looked up yet.
const UNKNOWN: Code = Code::MAX;

/// Values and their codes, shared by all threads.
#[derive(Debug, Default)]
pub(super) struct Values {
    codes: HashMap<String, Code>,
    texts: Vec<String>,
    /// The codes of values that came with remembered counts, by their places there.
    remembered: Vec<Code>,
    /// Where those places are.
    remembered_in: Option<Arc<Texts>>,
}

impl Values {
    pub(super) fn code(&mut self, text: &str) -> Result<Code, FindError> {
        if let Some(code) = self.codes.get(text) {
            return Ok(*code);
        }
        let code = Code::try_from(self.texts.len() + 1).unwrap_or(UNKNOWN);
        if self.texts.len() >= GROUPS_MAX {
            return Err(FindError::TooManyGroups { most: GROUPS_MAX });
        }
        self.codes.insert(text.to_owned(), code);
        self.texts.push(text.to_owned());
        Ok(code)
    }

    pub(super) fn text(&self, code: Code) -> Option<&str> {
        (code as usize).checked_sub(1).and_then(|at| self.texts.get(at)).map(String::as_str)
    }

    /// The code of a value by its place, plus one, among the texts of remembered counts: each text is looked at once.
    pub(super) fn code_of(&mut self, texts: &Arc<Texts>, value: u32) -> Result<Code, FindError> {
        let Some(place) = value.checked_sub(1) else { return Ok(NONE) };
        if !self.remembered_in.as_ref().is_some_and(|known| Arc::ptr_eq(known, texts)) {
            self.remembered.clear();
            self.remembered_in = Some(Arc::clone(texts));
        }
        let at = place as usize;
        if self.remembered.len() <= at {
            self.remembered.resize(at + 1, UNKNOWN);
        }
        if self.remembered[at] == UNKNOWN {
            let text = texts.text(place);
            let text = text.ok_or_else(|| FindError::Bug { reason: "a remembered value has no text".to_owned() })?;
            self.remembered[at] = self.code(&text)?;
        }
        Ok(self.remembered[at])
    }
}

pub(super) fn locked(values: &Mutex<Values>) -> MutexGuard<'_, Values> {
    values.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Codes of the dictionary that rows use just now, one field's.
#[derive(Debug, Default)]
pub(super) struct Translated {
    dictionary: Option<ArrayRef>,
    codes: Vec<Code>,
}

impl Translated {
    /// The code of each row; a value is looked up when the first row has it, and only then are other threads kept out.
    pub(super) fn codes_of(
        &mut self,
        array: &DictionaryArray<Int32Type>,
        values: &Mutex<Values>,
    ) -> Result<Vec<Code>, FindError> {
        let keys = array.keys();
        let mut codes = vec![NONE; keys.len()];
        for (row, (key, into)) in keys.values().iter().zip(&mut codes).enumerate() {
            // Place 0 is that of rows without a value: without a branch, since which rows have one is anyone's guess.
            let place = usize::from(keys.is_valid(row)) * (usize::try_from(*key).unwrap_or_default() + 1);
            let Some(code) = self.codes.get_mut(place) else { continue };
            if *code == UNKNOWN {
                let texts = array.values().as_string::<i32>();
                *code = locked(values).code(texts.value(place - 1))?;
            }
            *into = *code;
        }
        Ok(codes)
    }

    /// Begins anew when rows use another dictionary. The codes of its values stand from place 1 on.
    pub(super) fn use_dictionary(&mut self, dictionary: &ArrayRef) {
        let same = self
            .dictionary
            .as_ref()
            .is_some_and(|before| before.len() == dictionary.len() && before.to_data().ptr_eq(&dictionary.to_data()));
        if !same {
            self.codes = vec![UNKNOWN; dictionary.len() + 1];
            self.codes[0] = NONE;
            self.dictionary = Some(dictionary.clone());
        }
    }
}
