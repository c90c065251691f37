//! Chunks -> the page: the targets' part of `/metrics`, in each format and encoding.

use std::num::NonZero;
use std::sync::{Arc, OnceLock};
use std::thread;

use bytes::Bytes;

use super::checksum::Checksum;
use super::chunk::{Chunk, Row, replace};
use super::deflate::{Deflater, HEAD, SpareDeflater};
use super::lines::{SampleLines, escape};
use super::negotiate::{Encoding, Format};
use crate::catalog::{CATALOG, Family, Kind, Source};

/// What `/metrics` shows of the targets: family by family, with lines in the order of the targets'
/// places. A page never changes; the next one shares everything unchanged with it.
#[derive(Clone, Debug)]
pub(super) struct Page {
    headers: Arc<[Headers; 2]>,
    deflater: Arc<SpareDeflater>,
    families: Vec<Vec<Arc<Chunk>>>,
    bodies: [OnceLock<Arc<PageBody>>; 4],
}

/// HELP, TYPE and UNIT of each family in one format.
type Headers = Vec<Chunk>;

/// A change of a target.
#[derive(Debug)]
pub(super) enum Change {
    /// The exporter's own lines about it.
    Target(SampleLines),
    /// Its reading.
    Reading(SampleLines),
    /// Its reading is stale: gauges are withdrawn, counts stay.
    Withdrawn,
    /// What a directory says about it.
    Listed(SampleLines),
    /// What a directory said about it is stale, or no longer said.
    Unlisted,
    /// It is no longer a target.
    Gone,
}

impl Change {
    /// Bytes of its text.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Target(lines) | Self::Reading(lines) | Self::Listed(lines) => lines.text().len(),
            Self::Withdrawn | Self::Unlisted | Self::Gone => 0,
        }
    }
}

impl Default for Page {
    /// A page without targets.
    fn default() -> Self {
        let headers = [Format::Text, Format::OpenMetrics]
            .map(|format| CATALOG.iter().map(|family| Chunk::of(header(family, format))).collect());
        Self {
            headers: Arc::new(headers),
            deflater: Arc::default(),
            families: vec![Vec::new(); CATALOG.len()],
            bodies: Default::default(),
        }
    }
}

impl Page {
    /// The page after `changes`, each with the place of its target, in the order of the places; of
    /// two for the same target and family, the later one counts. Old lines are freed family by
    /// family, so that not everything is held twice.
    pub(super) fn after(self, changes: &[(u32, Change)]) -> Self {
        let Self { headers, deflater, families, bodies } = self;
        drop(bodies);
        let families = CATALOG.iter().zip(families).map(|(family, chunks)| {
            let changed = changed(family, changes);
            if changed.is_empty() { chunks } else { replace(chunks, &changed) }
        });
        Self { headers, deflater, families: families.collect(), bodies: Default::default() }
    }

    /// Bytes of its lines.
    pub(super) fn bytes(&self) -> usize {
        self.families.iter().flatten().map(|chunk| chunk.text().len()).sum()
    }

    /// The body, if it is already put together.
    pub(super) fn ready_body(&self, format: Format, encoding: Encoding) -> Option<Arc<PageBody>> {
        self.bodies[place(format, encoding)].get().cloned()
    }

    /// The body, put together on first use; new chunks are deflated then.
    pub(super) fn body(&self, format: Format, encoding: Encoding) -> Arc<PageBody> {
        let body = self.bodies[place(format, encoding)].get_or_init(|| {
            Arc::new(match encoding {
                Encoding::Identity => PageBody::plain(self.chunks(format)),
                Encoding::Gzip if self.bytes() < WHOLE => self.body_as_whole(format),
                Encoding::Gzip => self.body_in_chunks(format),
            })
        });
        Arc::clone(body)
    }

    fn body_as_whole(&self, format: Format) -> PageBody {
        let texts = self.chunks(format).map(|chunk| &**chunk.text());
        let deflated = self.deflater.with(|deflater| deflater.whole(texts));
        let frames = vec![Bytes::from_static(&HEAD), deflated.bytes];
        let checksum = Checksum::default().and(&deflated.checksum);
        PageBody::new(frames, Some(self.member(checksum)))
    }

    /// The body deflated chunk by chunk; chunks that were deflated before are reused.
    pub(super) fn body_in_chunks(&self, format: Format) -> PageBody {
        let chunks: Vec<&Chunk> = self.chunks(format).collect();
        let (frames, checksum) = self.deflater.with(|deflater| {
            deflate_new(&chunks, deflater);
            joined(&chunks, deflater)
        });
        PageBody::new(frames, Some(self.member(checksum)))
    }

    fn member(&self, checksum: Checksum) -> Member {
        Member { checksum, deflater: Arc::clone(&self.deflater) }
    }

    /// Headers and lines of the families that have any, in the order of the catalog.
    fn chunks(&self, format: Format) -> impl Iterator<Item = &Chunk> {
        let families = self.headers[format as usize]
            .iter()
            .zip(&self.families)
            .filter(|(_, lines)| !lines.is_empty());
        families.flat_map(|(header, lines)| {
            std::iter::once(header).chain(lines.iter().map(|chunk| &**chunk))
        })
    }
}

/// Index of a body in [`Page::bodies`].
fn place(format: Format, encoding: Encoding) -> usize {
    2 * format as usize + encoding as usize
}

/// Changed lines of a family.
fn changed<'a>(family: &Family, changes: &'a [(u32, Change)]) -> Vec<Row<'a>> {
    let mut changed: Vec<Row<'a>> = Vec::new();
    for (target, change) in changes {
        let lines = match (change, family.source) {
            (Change::Target(lines), Source::Target)
            | (Change::Reading(lines), Source::Cloud)
            | (Change::Listed(lines), Source::Directory) => lines.lines_of(family),
            (Change::Withdrawn, Source::Cloud) if family.kind == Kind::Gauge => "",
            (Change::Unlisted, Source::Directory) => "",
            (Change::Gone, Source::Target | Source::Cloud | Source::Directory) => "",
            _ => continue,
        };
        changed.pop_if(|(last, _)| last == target);
        changed.push((*target, lines.as_bytes()));
    }
    changed
}

/// Bytes of text below which a page is deflated as a whole: that takes a few milliseconds, however
/// little has changed. Ids recur in the next family, here close enough to be referred to; in chunks
/// the body would be up to twice as large.
const WHOLE: usize = 3 * 1024 * 1024;

/// Minimum number of chunks that are worth a thread, about a millisecond's work.
const SHARE: usize = 32;
/// Maximum number of threads; each has tables of a third of a megabyte.
const MOST_THREADS: usize = 4;

/// Deflates the new chunks, on several cores at once if there are many.
fn deflate_new(chunks: &[&Chunk], deflater: &mut Deflater) {
    let new: Vec<&Chunk> = chunks.iter().copied().filter(|chunk| !chunk.is_deflated()).collect();
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let share = new.len().div_ceil(threads).max(SHARE);
    let (mine, others) = new.split_at(share.min(new.len()));
    thread::scope(|scope| {
        for share in others.chunks(share) {
            // If no thread can be started, they are deflated when the body is put together.
            let _ = thread::Builder::new().spawn_scoped(scope, || {
                deflate(share, &mut Deflater::new());
            });
        }
        deflate(mine, deflater);
    });
}

fn deflate(chunks: &[&Chunk], deflater: &mut Deflater) {
    for chunk in chunks {
        chunk.deflated(deflater);
    }
}

/// Maximum bytes of a frame. Deflated chunks are so small that sending each on its own would cost
/// more than copying them.
const FRAME: usize = 64 * 1024;

/// The head of a member and the chunks after it, in frames, and the checksum of their text.
fn joined(chunks: &[&Chunk], deflater: &mut Deflater) -> (Vec<Bytes>, Checksum) {
    let mut checksum = Checksum::default();
    let mut frames = Vec::new();
    let mut frame = Vec::with_capacity(FRAME);
    frame.extend_from_slice(&HEAD);
    for chunk in chunks {
        let deflated = chunk.deflated(deflater);
        checksum = checksum.and(&deflated.checksum);
        if frame.len() + deflated.bytes.len() > FRAME {
            frames.push(frame.into_boxed_slice().into());
            frame = Vec::with_capacity(FRAME);
        }
        frame.extend_from_slice(&deflated.bytes);
    }
    frames.push(frame.into_boxed_slice().into());
    (frames, checksum)
}

/// A gzip member that has not ended yet.
#[derive(Debug)]
struct Member {
    /// Checksum of the text so far.
    checksum: Checksum,
    /// Deflates the end.
    deflater: Arc<SpareDeflater>,
}

/// A body without its end: the exporter's own metrics, which change at each scrape. Plain text is
/// that of the chunks, not a copy.
#[derive(Debug)]
pub struct PageBody {
    frames: Vec<Bytes>,
    bytes: u64,
    /// If the body is deflated.
    member: Option<Member>,
}

impl PageBody {
    fn new(frames: Vec<Bytes>, member: Option<Member>) -> Self {
        let bytes = frames.iter().map(|frame| frame.len() as u64).sum();
        Self { frames, bytes, member }
    }

    fn plain<'a>(chunks: impl Iterator<Item = &'a Chunk>) -> Self {
        Self::new(chunks.map(|chunk| chunk.text().clone()).collect(), None)
    }

    /// Its frames, in order.
    pub fn frames(&self) -> &[Bytes] {
        &self.frames
    }

    /// Bytes of all frames.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The last frame of a body that ends with `text`.
    pub fn end(&self, text: String) -> Bytes {
        let Some(Member { checksum, deflater }) = &self.member else { return text.into() };
        let deflated = deflater.with(|deflater| deflater.last(text.as_bytes()));
        [&deflated.bytes[..], &checksum.and(&deflated.checksum).trailer()].concat().into()
    }
}

fn header(family: &Family, format: Format) -> String {
    let name = match format {
        Format::Text => family.name,
        Format::OpenMetrics => family.openmetrics_name(),
    };
    let mut header = String::new();
    describe(name, family.kind, family.unit(), family.help, format, &mut header);
    header
}

/// Writes HELP, TYPE and, if the format has it, UNIT of a family.
pub(super) fn describe(
    name: &str,
    kind: Kind,
    unit: Option<&str>,
    help: &str,
    format: Format,
    page: &mut String,
) {
    page.push_str(&format!("# HELP {name} "));
    match format {
        Format::Text => page.push_str(&help.replace('\\', "\\\\").replace('\n', "\\n")),
        Format::OpenMetrics => escape(help, page),
    }
    page.push_str(&format!("\n# TYPE {name} {}\n", kind.word()));
    if let (Format::OpenMetrics, Some(unit)) = (format, unit) {
        page.push_str(&format!("# UNIT {name} {unit}\n"));
    }
}
