//! The VFS: called by SQLite from C, hands on to the "unix" VFS. All of the unsafe code.
//!
//! A file of ours is a [`ShimFile`] with the real file behind it, in the memory that SQLite provides. What
//! the model needs to know of it lives elsewhere, under the number of its handle: nothing here owns memory.

#![expect(unsafe_code, reason = "SQLite calls a VFS from C, with pointers")]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::OnceLock;

use rusqlite::ffi;
use rusqlite::ffi::{sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::disk;
use crate::fault::{Harm, Op};

/// The handle of a file that has no name: a temporary one, which is always well.
const NAMELESS: u64 = 0;

/// SQLite's own VFS; a pointer to what lives as long as the process.
struct Real(*mut sqlite3_vfs);

// SAFETY: a registered VFS is shared by all threads by SQLite's own rules, and this one is never changed.
unsafe impl Send for Real {}
// SAFETY: as above.
unsafe impl Sync for Real {}

static REAL: OnceLock<Real> = OnceLock::new();

/// An open file, as SQLite sees it. The real file lies right behind it.
#[repr(C)]
struct ShimFile {
    base: sqlite3_file,
    handle: u64,
}

/// Makes the shim the default VFS of the process, the first time it is called.
pub(crate) fn register() {
    REAL.get_or_init(|| {
        // SAFETY: the name is a C string. SQLite initialises itself, and what it answers is null or a VFS
        // that is never freed.
        let real = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
        assert!(!real.is_null(), "SQLite has no VFS called unix");
        // SAFETY: just checked; the copied functions look at nothing of their VFS but `pAppData`, which is
        // copied too.
        let mut shim = unsafe { *real };
        shim.pNext = null_mut();
        shim.zName = c"faulty-disk".as_ptr();
        shim.szOsFile += c_int::try_from(size_of::<ShimFile>()).expect("a small struct");
        shim.xOpen = Some(open);
        shim.xDelete = Some(delete);
        // SAFETY: the VFS is leaked, so it lives as long as SQLite may use it.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(shim)), 1) };
        assert_eq!(code, ffi::SQLITE_OK, "the VFS cannot be registered");
        Real(real)
    });
}

fn real_vfs() -> *mut sqlite3_vfs {
    REAL.get().map_or(null_mut(), |real| real.0)
}

/// The real file behind ours.
///
/// # Safety
/// `file` points to a `ShimFile` in memory of the size that our VFS asks for.
unsafe fn real_of(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: by the caller; the memory goes on behind the `ShimFile`, aligned to eight bytes.
    unsafe { file.cast::<ShimFile>().add(1).cast() }
}

/// The number of our file's handle.
///
/// # Safety
/// `file` was filled in by [`open`].
unsafe fn handle_of(file: *mut sqlite3_file) -> u64 {
    // SAFETY: by the caller.
    unsafe { (*file.cast::<ShimFile>()).handle }
}

/// # Safety
/// `name` is null, or a C string that outlives the answer.
unsafe fn path_of<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: by the caller.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}

unsafe extern "C" fn open(
    _vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives null or a C string.
    let path = unsafe { path_of(name) };
    // SAFETY: SQLite gives memory of the size that we asked for. Without methods it is not closed.
    unsafe { (*file).pMethods = std::ptr::null() };
    if let Some(path) = path {
        disk::look(path);
        if disk::next_of(Op::Open, path).is_some() {
            return ffi::SQLITE_CANTOPEN;
        }
    }
    // SAFETY: the real VFS gets itself, the name untouched (it may look behind it for parameters), and the
    // memory behind ours, which is as large as it asks for.
    let code = unsafe {
        let real = real_vfs();
        (*real).xOpen.map_or(ffi::SQLITE_CANTOPEN, |open| {
            open(real, name, real_of(file), flags, out_flags)
        })
    };
    if code != ffi::SQLITE_OK {
        return code;
    }
    let journal =
        ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;
    let created = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & journal != 0;
    // SAFETY: the memory is ours, see above.
    unsafe {
        let ours = file.cast::<ShimFile>();
        (*ours).handle = path.map_or(NAMELESS, |path| disk::opened(path, created));
        (*ours).base.pMethods = &raw const METHODS;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(
    _vfs: *mut sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: SQLite gives a C string.
    let path = unsafe { path_of(name) };
    let harm = path.and_then(|path| disk::next_of(Op::Delete, path));
    if harm.is_some_and(|harm| harm != Harm::Late) {
        return ffi::SQLITE_IOERR_DELETE;
    }
    // SAFETY: the real VFS gets itself and the name. Nothing is synced, as everywhere here.
    let code = unsafe {
        let real = real_vfs();
        (*real)
            .xDelete
            .map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(real, name, 0))
    };
    if let Some(path) = path
        && code == ffi::SQLITE_OK
    {
        disk::deleted(path, sync_folder != 0);
    }
    if harm.is_some() {
        return ffi::SQLITE_IOERR_DELETE;
    }
    code
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes what `open` filled in, once.
    unsafe {
        disk::closed(handle_of(file));
        real_close(file)
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    buffer: *mut c_void,
    bytes: c_int,
    at: i64,
) -> c_int {
    // SAFETY: SQLite reads what `open` filled in.
    let handle = unsafe { handle_of(file) };
    if disk::next(Op::Read, handle).is_some_and(|harm| harm != Harm::Death) {
        return ffi::SQLITE_IOERR_READ;
    }
    // SAFETY: handed on as it came.
    unsafe { real_read(file, buffer, bytes, at) }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    bytes: c_int,
    at: i64,
) -> c_int {
    // SAFETY: SQLite writes to what `open` filled in.
    let handle = unsafe { handle_of(file) };
    let harm = disk::next(Op::Write, handle);
    let written = match harm {
        None | Some(Harm::Late | Harm::Slow(_)) => bytes,
        Some(Harm::Torn) => bytes / 2,
        Some(Harm::Full) => return ffi::SQLITE_FULL,
        Some(Harm::Error | Harm::Death) => return ffi::SQLITE_IOERR_WRITE,
    };
    disk::changes(handle);
    // SAFETY: no more than SQLite gave.
    let code = unsafe { real_write(file, data, written, at) };
    if code == ffi::SQLITE_OK
        && let (Ok(at), Ok(written)) = (usize::try_from(at), usize::try_from(written))
    {
        // SAFETY: SQLite gave `bytes` bytes, and `written` is no more.
        let data = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), written) };
        disk::wrote(handle, at, data);
    }
    if harm.is_some() {
        return ffi::SQLITE_IOERR_WRITE;
    }
    code
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    // SAFETY: SQLite shortens what `open` filled in.
    let handle = unsafe { handle_of(file) };
    let harm = disk::next(Op::Truncate, handle);
    if harm.is_some_and(|harm| harm != Harm::Late) {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    disk::changes(handle);
    // SAFETY: handed on as it came.
    let code = unsafe { real_truncate(file, size) };
    if code == ffi::SQLITE_OK
        && let Ok(size) = usize::try_from(size)
    {
        disk::truncated(handle, size);
    }
    if harm.is_some() {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    code
}

/// Only the model is synced: see the crate's documentation.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite syncs what `open` filled in.
    let handle = unsafe { handle_of(file) };
    match disk::next(Op::Sync, handle) {
        None | Some(Harm::Slow(_)) => {
            disk::synced(handle);
            return ffi::SQLITE_OK;
        }
        Some(Harm::Late) => disk::synced(handle),
        Some(Harm::Death) => {}
        Some(Harm::Error | Harm::Full | Harm::Torn) => disk::sync_failed(handle),
    }
    ffi::SQLITE_IOERR_FSYNC
}

/// A function that hands on to the same method of the real file.
macro_rules! hand_on {
    ($name:ident, $method:ident $(, $argument:ident: $type:ty)*) => {
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: SQLite calls this with a file that `open` filled in, so the real one behind it is open
            // and has its methods.
            unsafe {
                let real = real_of(file);
                match (*(*real).pMethods).$method {
                    Some(method) => method(real $(, $argument)*),
                    None => ffi::SQLITE_IOERR,
                }
            }
        }
    };
}

hand_on!(real_close, xClose);
hand_on!(real_read, xRead, buffer: *mut c_void, bytes: c_int, at: i64);
hand_on!(real_write, xWrite, data: *const c_void, bytes: c_int, at: i64);
hand_on!(real_truncate, xTruncate, size: i64);
hand_on!(file_size, xFileSize, size: *mut i64);
hand_on!(lock, xLock, level: c_int);
hand_on!(unlock, xUnlock, level: c_int);
hand_on!(check_reserved_lock, xCheckReservedLock, out: *mut c_int);
hand_on!(file_control, xFileControl, op: c_int, argument: *mut c_void);
hand_on!(sector_size, xSectorSize);
hand_on!(device_characteristics, xDeviceCharacteristics);
hand_on!(shm_map, xShmMap, region: c_int, bytes: c_int, extend: c_int, out: *mut *mut c_void);
hand_on!(shm_lock, xShmLock, offset: c_int, count: c_int, flags: c_int);
hand_on!(shm_unmap, xShmUnmap, delete: c_int);

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: as in `hand_on`.
    unsafe {
        let real = real_of(file);
        if let Some(barrier) = (*(*real).pMethods).xShmBarrier {
            barrier(real);
        }
    }
}

/// Version 2: shared memory for the log, but no mapped files, whose writes could not be seen.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
