//! Who opened a chart, and why: the index of the ledger ([`Indexer`]), the history of a chart told by person ([`History`]), and what
//! logs of other systems bring ([`LogReader`]). The questions and cases themselves are use cases of the desk.

mod asking;
mod explained;
mod facts;
mod history;
mod imports;
mod index;
mod sample;
mod spoken;

pub use asking::{ChartOf, Looking, Named, NumberError, Told, chart_of, last_days, named};
pub use explained::{Approvers, Explained, approvers, explained};
pub use facts::AccessFacts;
pub use history::{ChartError, History, Opening, Reader, Sight, Standing, Why};
pub use imports::{ImportError, Imported, LogReader, Watching};
pub use index::{IndexError, IndexHandle, IndexState, Indexer};
pub use sample::{Sample, SampleRates, Sampled};
pub use spoken::{
    Deed, acts, apart, deeds, is_known, is_of_patient, kind, letter_draft, seen, summary, why_to_patient,
};
