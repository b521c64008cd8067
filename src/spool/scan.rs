//! Walking through the frames of one segment, in constant memory, past what is damaged.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    frame::{self, Fault, Frame, Kind},
    segment::{HEADER, Header, HeaderFault},
};

/// What is read at once; more only for a frame that is larger.
const CHUNK: usize = 256 << 10;
/// Numbers that may be missing without any bytes, where a frame is searched for.
const SLACK: u64 = 1 << 20;

/// A place in a segment.
pub(super) struct Scan {
    pub(super) path: PathBuf,
    pub(super) base: u64,
    /// What opens the segment.
    pub(super) header: Result<Header, HeaderFault>,
    file: File,
    /// What was read of the file, and from where on.
    buffer: Vec<u8>,
    start: u64,
    /// The next frame begins here.
    offset: u64,
    /// No frame in what follows has a lower number.
    floor: u64,
    /// Frames from this number on may have been read into the buffer before they were complete, or been replaced since.
    fresh_below: u64,
}

/// What is next in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Frame(Place),
    /// No frames, and behind them one of this number.
    Damage {
        offset: u64,
        bytes: u64,
        next: u64,
    },
    /// No frame that counts; what was looked at begins here.
    End {
        offset: u64,
        rest: Rest,
    },
}

/// What stands behind the last frame that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    /// A frame that does not count (yet).
    Beyond,
    /// So many bytes of a frame that was not completely written, or zeros, or the one and then the other.
    Torn(u64),
    /// So many bytes of about so many frames, which were complete.
    Damaged {
        bytes: u64,
        frames: u64,
    },
}

/// A frame, whose payload is in the buffer until the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) sequence: u64,
    pub(super) accepted_at: i64,
    pub(super) kind: Kind,
    pub(super) again: bool,
    pub(super) payload: Range<usize>,
}

impl Scan {
    /// At the first frame.
    pub(super) fn open(path: &Path, base: u64) -> io::Result<Self> {
        let mut scan = Self {
            path: path.to_owned(),
            base,
            header: Err(HeaderFault::Damaged),
            file: File::open(path)?,
            buffer: Vec::new(),
            start: 0,
            offset: HEADER as u64,
            floor: base,
            fresh_below: 0,
        };
        scan.header = Header::read(scan.at(0, HEADER)?);
        scan.buffer.clear();
        Ok(scan)
    }

    /// Bytes of the file now.
    pub(super) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    pub(super) fn payload(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// The next frame with a number below this one. After [`Found::End`] it stands where it was.
    pub(super) fn step(&mut self, below: u64) -> io::Result<Found> {
        if self.buffer.is_empty() {
            self.fresh_below = below;
        }
        let mut found = self.look(below)?;
        let is_fresh = match &found {
            Found::Frame(place) => place.sequence < self.fresh_below,
            _ => false,
        };
        if !is_fresh && self.fresh_below < below {
            self.buffer.clear();
            self.fresh_below = below;
            found = self.look(below)?;
        }
        match &found {
            Found::Frame(place) => {
                self.offset = place.offset + (frame::HEAD + place.payload.len()) as u64;
                self.floor = self.floor.max(place.sequence + 1);
            }
            Found::Damage { offset, bytes, .. } => self.offset = offset + bytes,
            Found::End { .. } => {}
        }
        Ok(found)
    }

    /// The file from here on: at least so many bytes, where it has them.
    fn at(&mut self, offset: u64, want: usize) -> io::Result<&[u8]> {
        let behind = offset.checked_sub(self.start).and_then(|behind| usize::try_from(behind).ok());
        match behind.filter(|behind| *behind <= self.buffer.len()) {
            Some(behind) if self.buffer.len() - behind >= want => return Ok(&self.buffer[behind..]),
            Some(behind) => drop(self.buffer.drain(..behind)),
            None => self.buffer.clear(),
        }
        self.start = offset;
        let target = want.max(CHUNK);
        self.buffer.shrink_to(target);
        self.file.seek(SeekFrom::Start(offset + self.buffer.len() as u64))?;
        let missing = target.saturating_sub(self.buffer.len()) as u64;
        (&self.file).take(missing).read_to_end(&mut self.buffer)?;
        Ok(&self.buffer)
    }

    /// The frame at a place, by its checksum only.
    fn frame(&mut self, offset: u64) -> io::Result<Result<Place, Fault>> {
        for want in [frame::HEAD, 0] {
            let start = self.start_of(offset, want)?;
            let fault = match Frame::read(self.buffer.get(start..).unwrap_or_default()) {
                Ok(Frame { sequence, accepted_at, kind, again, payload }) => {
                    let begin = start + frame::HEAD;
                    let payload = begin..begin + payload.len();
                    return Ok(Ok(Place { offset, sequence, accepted_at, kind, again, payload }));
                }
                Err(fault) => fault,
            };
            let Fault::Short(needed) = fault else { return Ok(Err(fault)) };
            if offset + needed as u64 > self.len()? {
                return Ok(Err(fault));
            }
            self.at(offset, needed)?;
        }
        Ok(Err(Fault::Short(frame::HEAD)))
    }

    /// Where in the buffer a place is, once it is in there.
    fn start_of(&mut self, offset: u64, want: usize) -> io::Result<usize> {
        self.at(offset, want)?;
        Ok(usize::try_from(offset - self.start).unwrap_or(usize::MAX))
    }

    fn look(&mut self, below: u64) -> io::Result<Found> {
        let offset = self.offset;
        let fault = match self.frame(offset)? {
            Ok(place) if place.sequence < below => return Ok(Found::Frame(place)),
            Ok(_) => return Ok(Found::End { offset, rest: Rest::Beyond }),
            Err(fault) => fault,
        };
        let rest = self.len()?.saturating_sub(offset);
        if rest == 0 {
            return Ok(Found::End { offset, rest: Rest::Nothing });
        }
        // Its length may be right, so that what looks like a frame within its payload is not taken for one. Where more than
        // this one would be missing, a wrong length ends by chance where another frame begins.
        let behind = self.length(offset)?.map(|length| offset + length);
        let next = match behind {
            Some(behind) if fault == Fault::Damaged => {
                let next = self.follows(behind, behind - offset, below)?;
                next.filter(|next| *next == self.floor + 1).map(|next| (behind, next))
            }
            _ => None,
        };
        let next = match next {
            None => self.search(offset, below)?,
            next => next,
        };
        if let Some((at, next)) = next {
            return Ok(Found::Damage { offset, bytes: at - offset, next });
        }
        Ok(Found::End { offset, rest: self.rest(offset, rest, fault)? })
    }

    /// What the frame at a place says it takes, where that may be.
    fn length(&mut self, offset: u64) -> io::Result<Option<u64>> {
        let Some(length) = self.at(offset, frame::HEAD)?.first_chunk::<4>() else { return Ok(None) };
        Ok(frame::size_of(u32::from_le_bytes(*length)).map(|size| size as u64))
    }

    /// The number of the frame at a place, where that may follow on so many bytes of damage.
    fn follows(&mut self, offset: u64, bytes: u64, below: u64) -> io::Result<Option<u64>> {
        let most = self.floor.saturating_add(bytes / frame::HEAD as u64).saturating_add(SLACK).min(below);
        Ok(match self.frame(offset)? {
            Ok(place) if (self.floor..most).contains(&place.sequence) => Some(place.sequence),
            _ => None,
        })
    }

    /// The next place with a frame that may follow.
    fn search(&mut self, from: u64, below: u64) -> io::Result<Option<(u64, u64)>> {
        let mut at = from + 1;
        loop {
            let floor = self.floor;
            let bytes = self.at(at, frame::HEAD)?;
            if bytes.len() < frame::HEAD {
                return Ok(None);
            }
            let mut heads = bytes.windows(frame::HEAD);
            let Some(ahead) = heads.position(|head| frame::may_be(head, floor..below)) else {
                at += (bytes.len() - frame::HEAD + 1) as u64;
                continue;
            };
            at += ahead as u64;
            if let Some(next) = self.follows(at, at - from, below)? {
                return Ok(Some((at, next)));
            }
            at += 1;
        }
    }

    /// What stands at the end, where no frame is found any more.
    fn rest(&mut self, offset: u64, rest: u64, fault: Fault) -> io::Result<Rest> {
        let is_torn = match fault {
            // Only its length is wrong where all else is there.
            Fault::Short(needed) => needed == frame::HEAD || !self.is_whole(offset, rest)?,
            Fault::Damaged => self.is_zeros(offset)? || self.ends_in_zeros(offset, rest)?,
        };
        if is_torn {
            return Ok(Rest::Torn(rest));
        }
        let (mut at, mut frames) = (offset, 0);
        while let Some(length) = self.length(at)?.filter(|length| at + length <= offset + rest) {
            at += length;
            frames += 1;
        }
        Ok(Rest::Damaged { bytes: rest, frames: frames.max(1) })
    }

    fn is_whole(&mut self, offset: u64, rest: u64) -> io::Result<bool> {
        let Ok(rest) = usize::try_from(rest) else { return Ok(false) };
        if rest > frame::LONGEST {
            return Ok(false);
        }
        Ok(frame::is_whole_but_for_length(self.at(offset, rest)?.get(..rest).unwrap_or_default()))
    }

    /// A file may have its size before it has all of its bytes. No row ends like this: its last field is text, or NULL.
    fn ends_in_zeros(&mut self, offset: u64, rest: u64) -> io::Result<bool> {
        const ENOUGH: u64 = 8;
        Ok(rest > ENOUGH && self.is_zeros(offset + rest - ENOUGH)?)
    }

    fn is_zeros(&mut self, offset: u64) -> io::Result<bool> {
        let mut at = offset;
        loop {
            let bytes = self.at(at, 1)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += bytes.len() as u64;
        }
    }

    /// Bytes of the file as they are.
    pub(super) fn raw(&self, offset: u64, bytes: u64) -> io::Result<impl Read> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file.take(bytes))
    }
}
