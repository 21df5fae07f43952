//! The witness page: who did what, and where every page-table entry pointed at that moment. One kernel, or two on the same schedule.

mod alignment;
mod cause;
mod data;
mod page;

pub use data::Document;
pub use page::{page, page_of_two};
