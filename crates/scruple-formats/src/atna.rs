//! IHE ATNA: audit messages of DICOM (PS3.15, A.5) as XML, in syslog frames of any kind or without.

use crate::record::{beside, name, placed};
use crate::{LogRecord, Mapping, Reading, Refused};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use scruple_core::Phi;
use std::collections::BTreeMap;
use std::io::{self, BufRead};

/// Bytes of one message.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
const BEGIN: &[u8] = b"<AuditMessage";
const END: &[u8] = b"</AuditMessage>";

/// A message with its number from 1; one that is cut off or too long is refused.
pub type Message = (u64, Result<Vec<u8>, Refused>);

/// The audit messages of a stream. What stands between them is the syslog's: lengths (RFC 5425), headers (RFC 5424), line ends.
pub struct Messages<R> {
    from: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Messages<R> {
    /// The messages of `from`.
    pub const fn new(from: R) -> Self {
        Self { from, buffer: Vec::new(), number: 0 }
    }

    /// The next message, or `None` at the end.
    ///
    /// # Errors
    /// The input failed.
    pub fn next_message(&mut self) -> io::Result<Option<Message>> {
        loop {
            match find(&self.buffer, BEGIN, 0) {
                Some(begin) => {
                    self.buffer.drain(..begin);
                    break;
                }
                None => {
                    // The beginning may stand at the end of what was read.
                    let kept = self.buffer.len().min(BEGIN.len());
                    self.buffer.drain(..self.buffer.len() - kept);
                    if !self.more()? {
                        return Ok(None);
                    }
                }
            }
        }
        self.number += 1;
        let mut looked = BEGIN.len();
        loop {
            if let Some(end) = find(&self.buffer, END, looked.saturating_sub(END.len())) {
                let cut = find(self.buffer.get(..end).unwrap_or_default(), BEGIN, BEGIN.len());
                if let Some(next) = cut {
                    // Another begins before this one ends.
                    self.buffer.drain(..next);
                    return Ok(Some((self.number, Err(Refused::new("message", "cut_off")))));
                }
                let message = self.buffer.drain(..end + END.len()).collect();
                return Ok(Some((self.number, Ok(message))));
            }
            looked = self.buffer.len();
            let is_long = self.buffer.len() > MESSAGE_BYTES_MAX;
            if is_long || !self.more()? {
                let next = find(&self.buffer, BEGIN, BEGIN.len()).unwrap_or(self.buffer.len());
                self.buffer.drain(..next);
                let reason = if is_long { "too_long" } else { "cut_off" };
                return Ok(Some((self.number, Err(Refused::new("message", reason)))));
            }
        }
    }

    fn more(&mut self) -> io::Result<bool> {
        let read = self.from.fill_buf()?;
        let count = read.len();
        self.buffer.extend_from_slice(read);
        self.from.consume(count);
        Ok(count > 0)
    }
}

fn find(bytes: &[u8], word: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(word.len()).position(|window| window == word).map(|place| place + from)
}

/// The attributes of an element by their names; both the names of DICOM and those of RFC 3881 are in use.
fn attributes(element: &BytesStart<'_>) -> Result<BTreeMap<String, String>, Refused> {
    let malformed = || Refused::new("message", "xml_malformed");
    let mut found = BTreeMap::new();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|_| malformed())?;
        let name = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
        let raw = std::str::from_utf8(&attribute.value).map_err(|_| malformed())?;
        let value = quick_xml::escape::unescape(raw).map_err(|_| malformed())?;
        found.insert(name, value.into_owned());
    }
    Ok(found)
}

#[derive(Default)]
struct Told {
    event: BTreeMap<String, String>,
    event_id: BTreeMap<String, String>,
    participants: Vec<BTreeMap<String, String>>,
    source: BTreeMap<String, String>,
    objects: Vec<BTreeMap<String, String>>,
}

fn told(message: &[u8]) -> Result<Told, Refused> {
    let text = std::str::from_utf8(message).map_err(|_| Refused::new("message", "not_utf8"))?;
    let mut reader = Reader::from_str(text);
    let mut told = Told::default();
    loop {
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => match element.local_name().as_ref() {
                b"EventIdentification" => told.event = attributes(&element)?,
                b"EventID" => told.event_id = attributes(&element)?,
                b"ActiveParticipant" => told.participants.push(attributes(&element)?),
                b"AuditSourceIdentification" => told.source = attributes(&element)?,
                b"ParticipantObjectIdentification" => told.objects.push(attributes(&element)?),
                _ => {}
            },
            Ok(Event::Eof) => return Ok(told),
            // Nothing of a document type is read: what it declares could be anything.
            Ok(Event::DocType(_)) => return Err(Refused::new("message", "document_type")),
            Ok(_) => {}
            Err(_) => return Err(Refused::new("message", "xml_malformed")),
        }
    }
}

/// What one audit message tells.
///
/// # Errors
/// The field that is missing or wrong.
pub fn audit_message(message: &[u8], mapping: &Mapping) -> Result<Reading, Refused> {
    let told = told(message)?;
    let get = |from: &BTreeMap<String, String>, key: &str| from.get(key).cloned().unwrap_or_default();
    let is_patient = |object: &&BTreeMap<String, String>| {
        get(object, "ParticipantObjectTypeCode") == "1" && get(object, "ParticipantObjectTypeCodeRole") == "1"
    };
    let mut patients: Vec<String> = Vec::new();
    for object in told.objects.iter().filter(is_patient) {
        // HL7 v2 CX: the number before the authority that gave it.
        let id = get(object, "ParticipantObjectID");
        let id = name("ParticipantObjectID", id.split('^').next().unwrap_or_default())?;
        let key = mapping.patient_key(&id);
        if !patients.contains(&key) {
            patients.push(key);
        }
    }
    if patients.is_empty() {
        return Ok(Reading::Other);
    }
    let (at, or_at) = placed("EventDateTime", &get(&told.event, "EventDateTime"), mapping)?;
    let is_requestor = |one: &&BTreeMap<String, String>| get(one, "UserIsRequestor") == "true";
    let requestor = told.participants.iter().find(is_requestor).or_else(|| told.participants.first());
    let requestor = requestor.ok_or_else(|| Refused::new("ActiveParticipant", "missing"))?;
    let person = name("UserID", &get(requestor, "UserID"))?;
    let event_id = [get(&told.event_id, "originalText"), get(&told.event_id, "displayName")];
    let codes = [get(&told.event_id, "csd-code"), get(&told.event_id, "code"), get(&told.event, "EventActionCode")];
    let action = event_id.into_iter().chain(codes).find(|text| !text.is_empty()).unwrap_or_default();
    let workstation = beside(&get(requestor, "NetworkAccessPointID"));
    let text = std::str::from_utf8(message).unwrap_or_default();
    Ok(Reading::Access(Box::new(LogRecord {
        at,
        or_at,
        person: Phi::new(person),
        once: Phi::new(format!("{} message {text}", mapping.source)),
        patients: Phi::new(patients),
        action: beside(&action),
        place: Some(workstation.clone()).filter(|place| !place.is_empty()),
        workstation,
        module: beside(&get(&told.source, "AuditSourceID")),
        purpose: None,
        types: Vec::new(),
        has_failed: !matches!(get(&told.event, "EventOutcomeIndicator").as_str(), "" | "0"),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"<AuditMessage><EventIdentification EventActionCode="R" EventDateTime="2026-03-03T07:10:00-07:00" EventOutcomeIndicator="0"><EventID csd-code="110110" codeSystemName="DCM" originalText="Patient Record"/></EventIdentification><ActiveParticipant UserID="PACS" UserIsRequestor="false"/><ActiveParticipant UserID="ana.ruiz" UserName="Ruiz &amp; Co" UserIsRequestor="true" NetworkAccessPointID="4W-12"/><AuditSourceIdentification AuditSourceID="pacs-1"/><ParticipantObjectIdentification ParticipantObjectID="4471^^^&amp;1.2.3&amp;ISO" ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1"/><ParticipantObjectIdentification ParticipantObjectID="1.2.3" ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="3"/></AuditMessage>"#;

    fn check(message: &str, expected: &str) {
        let mapping = Mapping::parse("source = 'pacs'\ntime_zone = 'UTC'").unwrap();
        let found = match audit_message(message.as_bytes(), &mapping) {
            Ok(Reading::Access(record)) => format!(
                "{} {} {} {} at {} in {}{}",
                record.at,
                record.person.expose(),
                record.patients.expose().join(","),
                record.action,
                record.workstation,
                record.module,
                if record.has_failed { " failed" } else { "" }
            ),
            Ok(Reading::Other) => "other".to_owned(),
            Err(refused) => refused.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_message_tells_who_whose_and_what() {
        check(MESSAGE, "2026-03-03T14:10:00.000000Z ana.ruiz number:4471 Patient Record at 4W-12 in pacs-1");
        check(
            &MESSAGE.replace(r#"OutcomeIndicator="0""#, r#"OutcomeIndicator="8""#),
            "2026-03-03T14:10:00.000000Z ana.ruiz number:4471 Patient Record at 4W-12 in pacs-1 failed",
        );
        check(&MESSAGE.replace(r#"TypeCode="1""#, r#"TypeCode="2""#), "other");
    }

    #[test]
    fn what_is_wrong_is_named_and_a_document_type_is_not_read() {
        check(&MESSAGE.replace("2026-03-03T07:10:00-07:00", "soon"), "EventDateTime: time_malformed");
        check(&MESSAGE.replace(r#"UserID="ana.ruiz""#, r#"UserID="""#), "UserID: missing");
        check(&MESSAGE.replace("4471^", "^"), "ParticipantObjectID: missing");
        check(&MESSAGE.replace("Ruiz &amp; Co", "&x;"), "message: xml_malformed");
        let bomb = format!("<!DOCTYPE x [<!ENTITY x \"y\">]>{MESSAGE}");
        check(&bomb, "message: document_type");
    }

    fn frames(text: &[u8], expected: &[&str]) {
        let mut messages = Messages::new(io::BufReader::with_capacity(7, text));
        let mut found = Vec::new();
        while let Some((number, message)) = messages.next_message().unwrap() {
            found.push(match message {
                Ok(bytes) => format!("{number}: {} bytes", bytes.len()),
                Err(refused) => format!("{number}: {refused}"),
            });
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn messages_are_found_in_any_frame() {
        let short = "<AuditMessage a='1'></AuditMessage>";
        let syslog = format!("<85>1 2026-03-03T07:10:00Z host app - - - {short}");
        let counted = format!("{} {syslog}{} {syslog}", syslog.len(), syslog.len());
        frames(counted.as_bytes(), &["1: 35 bytes", "2: 35 bytes"]);
        frames(format!("{syslog}\n{syslog}\r\n{short}").as_bytes(), &["1: 35 bytes", "2: 35 bytes", "3: 35 bytes"]);
        frames(b"nothing here", &[]);
        frames(format!("<AuditMessage x{short}").as_bytes(), &["1: message: cut_off", "2: 35 bytes"]);
        frames(format!("{short}<AuditMessage x").as_bytes(), &["1: 35 bytes", "2: message: cut_off"]);
    }

    #[test]
    fn a_message_that_never_ends_is_refused_in_constant_memory() {
        let long = [
            b"<AuditMessage ".to_vec(),
            vec![b'x'; MESSAGE_BYTES_MAX + 10],
            b"<AuditMessage a='1'></AuditMessage>".to_vec(),
        ];
        frames(&long.concat(), &["1: message: too_long", "2: 35 bytes"]);
    }
}
