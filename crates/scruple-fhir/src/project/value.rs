//! Values: what each kind of element lets through.

use super::*;

impl<'b> Pass<'_, 'b> {
    /// An array, of which `gap` says afterwards whether it holds a null. True if something of it was written.
    pub(super) fn array(
        &mut self,
        plan: &TypePlan,
        node: &Node,
        op: &Op,
        written: &Key,
        object_start: usize,
        gap: &mut bool,
    ) -> Scanned<bool> {
        self.scan.open_array()?;
        let nullable = written.scalar.is_some() || written.underscore;
        let start = self.out.len();
        self.out.push(b'[');
        let mut any = false;
        if op.act == Act::Contained {
            any = self.contained_items()?;
        } else {
            loop {
                let before = self.out.len();
                if any {
                    self.out.push(b',');
                }
                let shown = if nullable && self.scan.peek() == b'n' {
                    self.scan.word(b"null")?;
                    *gap = true;
                    if node.pass {
                        self.out.extend_from_slice(b"null");
                    }
                    node.pass
                } else {
                    self.value(plan, op, written, object_start)?
                };
                if shown {
                    any = true;
                } else {
                    self.out.truncate(before);
                }
                if !self.scan.more(b']')? {
                    break;
                }
            }
        }
        if any {
            self.out.push(b']');
        } else {
            self.out.truncate(start);
        }
        Ok(any)
    }

    /// One value. True if something of it was written.
    pub(super) fn value(&mut self, plan: &TypePlan, op: &Op, written: &Key, object_start: usize) -> Scanned<bool> {
        match op.act {
            Act::Copy => {
                let Some(scalar) = written.scalar else { return Err(self.scan.wrong_value()) };
                let text = self.scan.scalar(scalar)?;
                self.out.extend_from_slice(text);
                Ok(true)
            }
            Act::Object(node) => self.object(plan, node),
            Act::Reference(table) => self.reference(plan, table),
            Act::Extensions(table) => self.extension(plan, table),
            Act::Switch(switch) => self.switch(plan, switch),
            Act::Literal { token, identifies } => self.literal(token, identifies),
            Act::Resource => {
                self.scan.at_object()?;
                let current = self.contained.current.take();
                let result = self.resource()?;
                self.contained.current = current;
                let shown = result.is_ok();
                self.inner = Some(result);
                Ok(shown)
            }
            Act::Mask(function) => self.mask(function, written, object_start),
            Act::Formed(form) => {
                let text = self.scan.scalar(Scalar::String)?;
                let fits = form.fits(text);
                if fits {
                    self.out.extend_from_slice(text);
                }
                Ok(fits)
            }
            Act::Bundle(part) => self.bundle_part(part, object_start),
            Act::Drop | Act::ModifierExtension(_) | Act::ImplicitRules(_) | Act::Meta | Act::Contained => {
                self.scan.skip()?;
                Ok(false)
            }
        }
    }

    /// Copies any value without its white space.
    pub(super) fn raw(&mut self) -> Scanned<()> {
        match self.scan.peek() {
            open @ (b'{' | b'[') => {
                let close = if open == b'{' { b'}' } else { b']' };
                self.out.push(open);
                let mut more = self.scan.open(close)?;
                while more {
                    if open == b'{' {
                        let key = self.scan.key()?;
                        self.out.push(b'"');
                        self.out.extend_from_slice(key);
                        self.out.extend_from_slice(b"\":");
                    }
                    self.raw()?;
                    more = self.scan.more(close)?;
                    if more {
                        self.out.push(b',');
                    }
                }
                self.out.push(close);
                Ok(())
            }
            _ => {
                let start = self.scan.at;
                self.scan.skip()?;
                let text = self.scan.bytes.get(start..self.scan.at).unwrap_or_default();
                self.out.extend_from_slice(text);
                Ok(())
            }
        }
    }

    pub(super) fn extension(&mut self, plan: &TypePlan, table: u16) -> Scanned<bool> {
        let Some(table) = plan.extensions.get(usize::from(table)) else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        let [url] = self.scan.find([b"url"])?;
        let known = self.scan.plain_string_at(url).and_then(|url| table.known.get(url));
        match known.unwrap_or(&table.unknown).act {
            Act::Object(node) if plan.nodes.get(usize::from(node)).is_some_and(|node| node.whole) => {
                let outer = std::mem::replace(&mut self.broken, false);
                let (before, references) = (self.out.len(), self.contained.references.len());
                let shown = self.object(plan, node)?;
                let broken = std::mem::replace(&mut self.broken, outer);
                if broken {
                    self.out.truncate(before);
                    self.contained.references.truncate(references);
                }
                Ok(shown && !broken)
            }
            Act::Object(node) => self.object(plan, node),
            _ => {
                self.scan.skip_kind(false, None, false)?;
                Ok(false)
            }
        }
    }

    pub(super) fn switch(&mut self, plan: &TypePlan, switch: u16) -> Scanned<bool> {
        let Some(switch) = plan.switches.get(usize::from(switch)) else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        let [at] = self.scan.find([switch.key.as_bytes()])?;
        let codings = at.map_or_else(Vec::new, |at| codings_at(&self.scan, at));
        let node = switch.choose(&codings);
        self.object(plan, node)
    }

    pub(super) fn reference(&mut self, plan: &TypePlan, table: u16) -> Scanned<bool> {
        let Some(table) = plan.references.get(usize::from(table)) else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        let unknown = table.cases.len() - 1;
        let [reference] = self.scan.find([b"reference"])?;
        let parsed = reference.map(|at| self.scan.plain_string_at(Some(at)).map_or(Literal::Foreign(None), literal));
        let named = |name: &[u8]| dictionary().resource_by_bytes(name);
        let target = match parsed {
            Some(Literal::Relative { resource_type, .. } | Literal::Query { resource_type }) => named(resource_type),
            Some(Literal::Foreign(resource_type)) => resource_type.and_then(named),
            Some(Literal::Urn(_)) => None,
            Some(Literal::Contained(id)) => self.contained_type(id),
            Some(Literal::Container) | None => None,
        };
        let target = match (target, parsed) {
            (None, Some(Literal::Contained(_) | Literal::Container) | None) => {
                let [kind] = self.scan.find([b"type"])?;
                let named = self.scan.plain_string_at(kind).and_then(named);
                let named = named.filter(|named| table.allowed.is_empty() || table.allowed.contains(named));
                let only = match table.allowed.as_slice() {
                    [only] => Some(*only),
                    _ => None,
                };
                named.or(only)
            }
            _ => target,
        };
        let case = target.and_then(|target| dictionary().resource_place(target)).unwrap_or(unknown);
        let Some((node, visibility)) = table.cases.get(case).copied() else {
            return Err(self.scan.fault(FaultKind::Syntax));
        };
        let shows = table.pass || self.target_shows(parsed, visibility);
        let (before, references) = (self.out.len(), self.contained.references.len());
        let emitted = self.object(plan, node)?;
        if !self.annotation().reference_sources.is_empty()
            && plan.nodes.get(usize::from(node)).is_some_and(|node| node.labelled)
            && let Some(text) = self.scan.plain_string_at(reference)
            && let Some(target) = path(text).and_then(|path| std::str::from_utf8(path).ok())
            && let Some(segments) = self.annotation().reference_sources.get(target)
        {
            self.facts.segments = self.facts.segments.union(*segments);
        }
        if let Some(Literal::Contained(id)) = parsed
            && emitted
            && shows
        {
            self.contained.mentions.push(id);
        }
        self.hidden_by_target = emitted && !shows;
        if !shows {
            self.broken |= table.whole;
            self.out.truncate(before);
            self.contained.references.truncate(references);
            return Ok(false);
        }
        Ok(emitted)
    }

    pub(super) fn target_shows(&self, parsed: Option<Literal<'b>>, visibility: Visibility) -> bool {
        let text = |bytes: &'b [u8]| std::str::from_utf8(bytes).ok();
        match (parsed, visibility) {
            (None, Visibility::Hidden) => false,
            (None | Some(Literal::Container), _) => true,
            (Some(Literal::Contained(id)), _) => !self.contained.dropped.contains(&id),
            (Some(Literal::Urn(urn)), _) => text(urn).and_then(|urn| self.around.shows_urn(urn)).unwrap_or(false),
            (Some(_), Visibility::Hidden) => false,
            (Some(_), Visibility::Shown) => true,
            (Some(Literal::Relative { resource_type, id }), Visibility::Ask) => {
                let (Some(resource_type), Some(id)) = (text(resource_type), text(id)) else { return false };
                self.around.shows(resource_type, id).unwrap_or(false)
            }
            (Some(Literal::Query { .. } | Literal::Foreign(_)), Visibility::Ask) => false,
        }
    }

    /// The literal of a reference. Whether its target shows was decided for the whole Reference.
    pub(super) fn literal(&mut self, token: bool, identifies: bool) -> Scanned<bool> {
        let text = self.scan.scalar(Scalar::String)?;
        let parsed = self.scan.plain(Some(text)).map_or(Literal::Foreign(None), literal);
        match parsed {
            Literal::Relative { resource_type, id } if token => {
                let (Ok(resource_type), Ok(id)) = (std::str::from_utf8(resource_type), std::str::from_utf8(id)) else {
                    return Ok(false);
                };
                let token = self.around.token(resource_type, id);
                self.out.extend_from_slice(format!("\"{resource_type}/{token}\"").as_bytes());
                Ok(true)
            }
            _ if token => Ok(false),
            Literal::Query { .. } | Literal::Foreign(_) if !identifies => {
                self.broken = true;
                Ok(false)
            }
            parsed => {
                if let Literal::Contained(id) = parsed {
                    self.contained.references.push((self.contained.current, id));
                }
                self.out.extend_from_slice(text);
                Ok(true)
            }
        }
    }

    pub(super) fn mask(&mut self, function: MaskFunction, written: &Key, object_start: usize) -> Scanned<bool> {
        let Some(scalar) = written.scalar else { return Err(self.scan.wrong_value()) };
        let text = self.scan.scalar(scalar)?;
        let shown = match function {
            MaskFunction::Code => self.scan.plain(Some(text)).filter(|code| is_token(code)).map(|_| text.to_vec()),
            MaskFunction::Year => mask::year(text),
            MaskFunction::Zip3 => {
                let object = self.scan.fork(object_start);
                let [country] = object.find([b"country"])?;
                let country = country.map(|at| object.plain_string_at(Some(at)).unwrap_or(b"?"));
                mask::zip3(text, country)
            }
            MaskFunction::Last4 => mask::last4(text),
            MaskFunction::Token => self.scan.plain(Some(text)).and_then(|value| {
                let value = std::str::from_utf8(value).ok()?;
                Some(format!("\"{}\"", self.around.token(written.type_name, value)).into_bytes())
            }),
            MaskFunction::Shape => mask::shape(text, scalar, written.type_name),
            MaskFunction::Age
            | MaskFunction::Keep
            | MaskFunction::Into
            | MaskFunction::Withhold
            | MaskFunction::Coding
            | MaskFunction::Listed(_) => None,
        };
        let Some(shown) = shown else { return Ok(false) };
        self.out.extend_from_slice(&shown);
        Ok(true)
    }

    pub(super) fn bundle_part(&mut self, part: BundlePart, object_start: usize) -> Scanned<bool> {
        let text = self.scan.scalar(Scalar::String)?;
        let Some(value) = self.scan.plain(Some(text)) else { return Ok(false) };
        match part {
            BundlePart::Type => {
                let changed = matches!(value, b"document" | b"message");
                self.out.extend_from_slice(if changed { b"\"collection\"" } else { text });
                Ok(true)
            }
            BundlePart::FullUrl => {
                let urn = value.starts_with(b"urn:uuid:") || value.starts_with(b"urn:oid:");
                let shows =
                    urn && value.iter().all(u8::is_ascii_graphic) || self.names_its_resource(value, object_start)?;
                if shows {
                    self.out.extend_from_slice(text);
                }
                Ok(shows)
            }
            BundlePart::RequestUrl => {
                let cut = value.split(|byte| *byte == b'?').next().unwrap_or_default();
                let plain_path = cut.iter().filter(|byte| **byte == b'/').count() == 1
                    && matches!(literal(cut), Literal::Relative { .. })
                    || dictionary().resource_by_bytes(cut).is_some();
                if plain_path {
                    self.out.push(b'"');
                    self.out.extend_from_slice(cut);
                    self.out.push(b'"');
                }
                Ok(plain_path)
            }
        }
    }

    /// Whether a `fullUrl` ends with `/Type/id` of the resource beside it.
    pub(super) fn names_its_resource(&self, url: &[u8], object_start: usize) -> Scanned<bool> {
        if !url.starts_with(b"http") || url.contains(&b'?') {
            return Ok(false);
        }
        let entry = self.scan.fork(object_start);
        let [resource] = entry.find([b"resource"])?;
        let Some(at) = resource else { return Ok(false) };
        let resource = self.scan.fork(at);
        let [kind, id] = resource.find([b"resourceType", b"id"])?;
        let (Some(kind), Some(id)) = (resource.plain_string_at(kind), resource.plain_string_at(id)) else {
            return Ok(false);
        };
        let before = url.strip_suffix(id).and_then(|url| url.strip_suffix(b"/")).and_then(|url| url.strip_suffix(kind));
        Ok(before.is_some_and(|before| before.ends_with(b"/")))
    }
}
