//! Arrays of primitives beside the arrays of their extensions: places are kept.

use super::*;

impl<'b> Pass<'_, 'b> {
    /// Arrays of primitives with their extensions: both at once, places kept.
    pub(super) fn aligned_member(
        &mut self,
        plan: &TypePlan,
        node: &Node,
        written: &Key,
        op: &Op,
        object_start: usize,
        state: &mut Members<'b>,
    ) -> Scanned<()> {
        let object = dictionary().get(node.object);
        let partner = object.keys.iter().zip(node.ops.iter()).find(|(key, _)| {
            key.element == written.element && key.target == written.target && key.underscore != written.underscore
        });
        let own = self.items(plan, op, written, object_start)?;
        let end = self.scan.at;
        let mut other = Vec::new();
        if let Some((partner, partner_op)) = partner {
            let ahead = self.scan.fork(object_start);
            let [at] = ahead.find([partner.name().as_bytes()])?;
            if let Some(at) = at
                && partner_op.act != Act::Drop
            {
                self.scan.at = at;
                let facts = self.facts;
                other = self.items(plan, partner_op, partner, object_start)?;
                self.facts = facts;
                self.scan.at = end;
            }
        }
        let length = own.len().max(other.len());
        let mut text = Vec::new();
        let mut any = false;
        for index in 0..length {
            let (mine, theirs) = (own.get(index).and_then(Option::as_ref), other.get(index).and_then(Option::as_ref));
            if mine.is_none() && theirs.is_none() {
                continue;
            }
            text.push(if text.is_empty() { b'[' } else { b',' });
            match mine {
                Some(item) => {
                    any = true;
                    text.extend_from_slice(item);
                }
                None => text.extend_from_slice(b"null"),
            }
        }
        if any {
            self.write_key(state, written.name().as_bytes());
            self.out.append(&mut text);
            self.out.push(b']');
            state.show(written);
        }
        Ok(())
    }

    /// The items of an array of primitives or of their extensions, each projected; `None` where nothing shows.
    pub(super) fn items(
        &mut self,
        plan: &TypePlan,
        op: &Op,
        written: &Key,
        object_start: usize,
    ) -> Scanned<Vec<Option<Vec<u8>>>> {
        self.scan.open_array()?;
        let mut items = Vec::new();
        loop {
            let before = self.out.len();
            let shown = if self.scan.peek() == b'n' {
                self.scan.word(b"null")?;
                false
            } else {
                self.value(plan, op, written, object_start)?
            };
            items.push(shown.then(|| self.out.get(before..).unwrap_or_default().to_vec()));
            self.out.truncate(before);
            if !self.scan.more(b']')? {
                return Ok(items);
            }
        }
    }
}
