//! What was found, as text, herd, JSON, JUnit XML; a witness as a story, as columns, as a sequence diagram.
//!
//! Everything here turns data into text and decides nothing: what happened is in [`Checked`] and in a
//! [`Trace`](cowherd_model::witness::Trace), so that every format shows the same facts. Text for people carries the escape
//! sequences of its colours; whoever writes it to something that is no terminal strips them.

pub mod checked;
pub mod coverage;
pub mod herd;
pub mod html;
pub mod json;
pub mod junit;
pub mod matrix;
pub mod style;
pub mod table;
pub mod witness;

pub use checked::{Checked, Row, Standing};
