//! Reads files named by the user whole, within limits of size and time. Notices when they change.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

/// Maximum size of a file that holds certificates, an access key, a token or profiles, in bytes.
pub(crate) const MAX_SMALL: u64 = 4 << 20;

/// Timeout for reading a pipe or a terminal to its end.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// Written before the text by some editors on Windows.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The bytes of a regular file of at most `max_bytes`.
///
/// # Errors
/// If it cannot be read, is not a regular file, or is too large.
pub(crate) fn bytes(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    match kind(path)? {
        Kind::Regular => read(path, max_bytes),
        Kind::Stream(what) => Err(io::Error::other(format!("it is a {what}, not a regular file"))),
    }
}

/// The text of a regular file of at most `max_bytes`, without a byte order mark. It may contain
/// secrets, so it is zeroed on drop.
///
/// # Errors
/// Those of [`bytes()`], or if it is not UTF-8.
pub(crate) fn text(path: &Path, max_bytes: u64) -> io::Result<Zeroizing<String>> {
    decode(bytes(path, max_bytes)?)
}

/// Like [`text()`], but also reads a pipe or a terminal, such as `/dev/stdin`.
///
/// # Errors
/// Those of [`text()`], or if its end does not come within ten seconds.
pub(crate) fn text_or_stream(path: &Path, max_bytes: u64) -> io::Result<Zeroizing<String>> {
    match kind(path)? {
        Kind::Regular => decode(read(path, max_bytes)?),
        Kind::Stream(what) => decode(read_stream(path, max_bytes, what)?),
    }
}

enum Kind {
    Regular,
    /// A pipe or terminal, in words; reading it may never end.
    Stream(&'static str),
}

/// Checks the type before opening: opening a pipe waits for its other end, and opening a device may
/// have side effects.
fn kind(path: &Path) -> io::Result<Kind> {
    let kind = fs::metadata(path)?.file_type();
    match () {
        () if kind.is_file() => Ok(Kind::Regular),
        () if kind.is_fifo() => Ok(Kind::Stream("pipe")),
        () if kind.is_char_device() => Ok(Kind::Stream("device")),
        () if kind.is_dir() => Err(io::Error::other("it is a folder, not a file")),
        () if kind.is_socket() => Err(io::Error::other("it is a socket, not a regular file")),
        () => Err(io::Error::other("it is a device, not a regular file")),
    }
}

fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    // A growing buffer would leave copies of the text behind. The extra byte finds the end without
    // growing.
    let size = file.metadata()?.len().min(max_bytes);
    let mut bytes = Vec::with_capacity(size as usize + 1);
    file.by_ref().take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::other(format!("it is larger than {} MiB", max_bytes >> 20)));
    }
    Ok(bytes)
}

/// Reads on a separate thread, which is abandoned if the other end of a pipe is never opened or
/// closed.
fn read_stream(path: &Path, max_bytes: u64, what: &str) -> io::Result<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let path = path.to_owned();
    thread::spawn(move || sender.send(read(&path, max_bytes)));
    let endless =
        || io::Error::other(format!("it is a {what}, and its end has not come within 10 seconds"));
    receiver.recv_timeout(STREAM_TIMEOUT).map_err(|_| endless())?
}

fn decode(bytes: Vec<u8>) -> io::Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(bytes);
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(io::Error::other("it is UTF-16: save it as UTF-8"));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| io::Error::other("it is not UTF-8: save it as UTF-8"))?;
    Ok(Zeroizing::new(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).to_owned()))
}

/// A file, and which version of it there was.
///
/// Made before the file is read: what is written while it is read then counts as a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    /// `None` if it could not be looked at.
    version: Option<Version>,
}

/// What changes when a file is written or replaced, also behind a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl WatchedFile {
    /// The file as it is now.
    pub(crate) fn new(path: PathBuf) -> Self {
        let of = |data: Metadata| Version {
            device: data.dev(),
            inode: data.ino(),
            bytes: data.size(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        };
        let version = fs::metadata(&path).ok().map(of);
        Self { path, version }
    }

    /// The same file as it is now.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.path.clone())
    }

    /// Whether there is another version of it.
    pub(crate) fn has_changed(&self) -> bool {
        self.again() != *self
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use tempfile::TempDir;

    use super::{bytes, text, text_or_stream};

    /// A folder that is removed on drop.
    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            path
        }

        fn pipe(&self) -> PathBuf {
            let path = self.0.path().join("pipe");
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            path
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let folder = Folder::new();
        assert_eq!(text(&folder.write(b"\xef\xbb\xbfa\n"), 9).unwrap().as_str(), "a\n");
        assert_eq!(text(&folder.write(b"a\xef\xbb\xbf"), 9).unwrap().as_str(), "a\u{feff}");
        let told = |bytes: &[u8]| text(&folder.write(bytes), 9).unwrap_err().to_string();
        assert_eq!(told(b"\xff\xfea\0"), "it is UTF-16: save it as UTF-8");
        assert_eq!(told(b"\xfe\xff\0a"), "it is UTF-16: save it as UTF-8");
        assert_eq!(told(b"\xe9"), "it is not UTF-8: save it as UTF-8");
    }

    #[test]
    fn what_is_too_large_or_no_file_is_not_read_for_ever() {
        let folder = Folder::new();
        let path = folder.write(&[b'a'; 1 << 20]);
        assert_eq!(bytes(&path, 1 << 20).unwrap().len(), 1 << 20);
        let path = folder.write(&[b'a'; (1 << 20) + 1]);
        assert_eq!(bytes(&path, 1 << 20).unwrap_err().to_string(), "it is larger than 1 MiB");
        assert_eq!(
            text(Path::new("/dev/zero"), 9).unwrap_err().to_string(),
            "it is a device, not a regular file"
        );
        assert_eq!(text_or_stream(Path::new("/dev/null"), 9).unwrap().as_str(), "");
        let told = |path: &Path| text_or_stream(path, 1 << 20).unwrap_err().to_string();
        assert_eq!(told(Path::new("/dev/zero")), "it is larger than 1 MiB");
        assert_eq!(told(folder.0.path()), "it is a folder, not a file");
        let socket = folder.0.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(told(&socket), "it is a socket, not a regular file");
        let missing = bytes(&folder.0.path().join("missing"), 9).unwrap_err();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    }

    #[test]
    fn a_pipe_is_read_to_its_end_where_it_makes_sense() {
        let folder = Folder::new();
        let pipe = folder.pipe();
        assert_eq!(text(&pipe, 9).unwrap_err().to_string(), "it is a pipe, not a regular file");
        let writer = {
            let pipe = pipe.clone();
            std::thread::spawn(move || {
                std::fs::OpenOptions::new().write(true).open(pipe).unwrap().write_all(b"a: 1")
            })
        };
        assert_eq!(text_or_stream(&pipe, 9).unwrap().as_str(), "a: 1");
        writer.join().unwrap().unwrap();
    }
}
