//! What a guest does with open files and folders: wasmtime's own functions, with what they write counted first and what they
//! refuse entered into the record.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode,
    Filesize, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use crate::files::quota::{CountedStream, Quota, QuotaReached};
use crate::guest::Guest;

type Fd = Resource<Descriptor>;

impl From<QuotaReached> for ErrorCode {
    fn from(reached: QuotaReached) -> Self {
        match reached.limit {
            "files.path" => Self::NameTooLong,
            _ => Self::Quota,
        }
    }
}

impl Guest {
    fn quota(&mut self) -> Arc<Quota> {
        Arc::clone(&self.files().quota)
    }

    fn check_path(&mut self, path: &str) -> FsResult<()> {
        Ok(self.files().quota.path(path).map_err(ErrorCode::from)?)
    }

    /// Whether the folder or file was granted for reading only.
    fn is_read_only(&self, fd: &Fd) -> bool {
        let perms = match self.table.get(fd) {
            Ok(Descriptor::Dir(folder)) => folder.perms,
            Ok(Descriptor::File(file)) => file.perms,
            Err(_) => return false,
        };
        perms == FsPerms::ReadOnly
    }

    /// Enters why something was not permitted, if that was it.
    fn judge<T>(&mut self, fd: &Fd, path: &str, writes: bool, done: FsResult<T>) -> FsResult<T> {
        let Err(error) = &done else { return done };
        if !matches!(error.downcast_ref(), Some(ErrorCode::NotPermitted)) {
            return done;
        }
        if writes && self.is_read_only(fd) {
            let hint = "if it has to write there, let the manifest say so:\npermissions:\n  filesystem: [{ host: …, \
                        guest: …, access: read-write }]";
            self.refuse_file(path, "the folder was granted for reading only", hint);
        } else {
            let hint = "ask for the folder that it is in by `permissions.filesystem` of the manifest";
            self.refuse_file(path, "it is outside of the folders that were granted", hint);
        }
        done
    }

    async fn exists(&mut self, fd: &Fd, flags: PathFlags, path: &str) -> bool {
        let fd = Resource::new_borrow(fd.rep());
        HostDescriptor::stat_at(&mut self.filesystem(), fd, flags, path.to_owned()).await.is_ok()
    }

    /// Makes a stream into a file count.
    fn counted(&mut self, stream: Resource<DynOutputStream>) -> FsResult<Resource<DynOutputStream>> {
        let quota = self.quota();
        let inner = self.table.delete(stream)?;
        let counted: DynOutputStream = Box::new(CountedStream { inner, quota });
        Ok(self.table.push(counted)?)
    }
}

impl types::Host for Guest {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        if let Some(reached) = self.table.get(&error)?.downcast_ref::<QuotaReached>() {
            return Ok(Some((*reached).into()));
        }
        types::Host::filesystem_error_code(&mut self.filesystem(), error)
    }
}

impl HostDescriptor for Guest {
    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        self.check_path(&path)?;
        let (of, name) = (Resource::new_borrow(fd.rep()), path.clone());
        let writes = flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY)
            || open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
        // What is there already is not created. A file that somebody else makes at this moment counts as the guest's.
        let creates =
            open.contains(OpenFlags::CREATE) && !self.is_read_only(&fd) && !self.exists(&fd, path_flags, &path).await;
        if creates {
            self.quota().create().map_err(ErrorCode::from)?;
        }
        let opened = HostDescriptor::open_at(&mut self.filesystem(), fd, path_flags, path, open, flags).await;
        if creates && opened.is_err() {
            self.quota().not_created();
        }
        self.judge(&of, &name, writes, opened)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.check_path(&path)?;
        let (of, name, quota) = (Resource::new_borrow(fd.rep()), path.clone(), self.quota());
        quota.create().map_err(ErrorCode::from)?;
        let done = HostDescriptor::create_directory_at(&mut self.filesystem(), fd, path).await;
        if done.is_err() {
            quota.not_created();
        }
        self.judge(&of, &name, true, done)
    }

    async fn link_at(&mut self, fd: Fd, flags: PathFlags, old: String, new_fd: Fd, new: String) -> FsResult<()> {
        self.check_path(&old)?;
        self.check_path(&new)?;
        // A link between a folder that is only read and another would be a way to write what is only read.
        let read_only = if self.is_read_only(&fd) { fd.rep() } else { new_fd.rep() };
        let (of, name, quota) = (Resource::new_borrow(read_only), new.clone(), self.quota());
        quota.create().map_err(ErrorCode::from)?;
        let done = HostDescriptor::link_at(&mut self.filesystem(), fd, flags, old, new_fd, new).await;
        if done.is_err() {
            quota.not_created();
        }
        self.judge(&of, &name, true, done)
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        self.check_path(&target)?;
        self.check_path(&path)?;
        let (of, name, quota) = (Resource::new_borrow(fd.rep()), path.clone(), self.quota());
        quota.create().map_err(ErrorCode::from)?;
        let done = HostDescriptor::symlink_at(&mut self.filesystem(), fd, target, path).await;
        if done.is_err() {
            quota.not_created();
        }
        self.judge(&of, &name, true, done)
    }

    async fn rename_at(&mut self, fd: Fd, old: String, new_fd: Fd, new: String) -> FsResult<()> {
        self.check_path(&old)?;
        self.check_path(&new)?;
        let read_only = if self.is_read_only(&fd) { fd.rep() } else { new_fd.rep() };
        let (of, name) = (Resource::new_borrow(read_only), new.clone());
        let done = HostDescriptor::rename_at(&mut self.filesystem(), fd, old, new_fd, new).await;
        self.judge(&of, &name, true, done)
    }

    /// Growing a file takes room, though nothing is written.
    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        let of = Resource::new_borrow(fd.rep());
        let now = HostDescriptor::stat(&mut self.filesystem(), Resource::new_borrow(fd.rep())).await?.size;
        self.quota().write(size.saturating_sub(now)).map_err(ErrorCode::from)?;
        let done = HostDescriptor::set_size(&mut self.filesystem(), fd, size).await;
        self.judge(&of, "an open file", true, done)
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        let of = Resource::new_borrow(fd.rep());
        self.quota().write(bytes.len() as u64).map_err(ErrorCode::from)?;
        let done = HostDescriptor::write(&mut self.filesystem(), fd, bytes, offset).await;
        self.judge(&of, "an open file", true, done)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let of = Resource::new_borrow(fd.rep());
        let stream = HostDescriptor::write_via_stream(&mut self.filesystem(), fd, offset);
        let stream = self.judge(&of, "an open file", true, stream)?;
        self.counted(stream)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let of = Resource::new_borrow(fd.rep());
        let stream = HostDescriptor::append_via_stream(&mut self.filesystem(), fd);
        let stream = self.judge(&of, "an open file", true, stream)?;
        self.counted(stream)
    }

    async fn set_times(&mut self, fd: Fd, accessed: NewTimestamp, modified: NewTimestamp) -> FsResult<()> {
        let of = Resource::new_borrow(fd.rep());
        let done = HostDescriptor::set_times(&mut self.filesystem(), fd, accessed, modified).await;
        self.judge(&of, "an open file", true, done)
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.check_path(&path)?;
        let (of, name) = (Resource::new_borrow(fd.rep()), path.clone());
        let done = HostDescriptor::set_times_at(&mut self.filesystem(), fd, flags, path, accessed, modified).await;
        self.judge(&of, &name, true, done)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.check_path(&path)?;
        let (of, name) = (Resource::new_borrow(fd.rep()), path.clone());
        let done = HostDescriptor::remove_directory_at(&mut self.filesystem(), fd, path).await;
        self.judge(&of, &name, true, done)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.check_path(&path)?;
        let (of, name) = (Resource::new_borrow(fd.rep()), path.clone());
        let done = HostDescriptor::unlink_file_at(&mut self.filesystem(), fd, path).await;
        self.judge(&of, &name, true, done)
    }

    async fn stat_at(&mut self, fd: Fd, flags: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.check_path(&path)?;
        let (of, name) = (Resource::new_borrow(fd.rep()), path.clone());
        let done = HostDescriptor::stat_at(&mut self.filesystem(), fd, flags, path).await;
        self.judge(&of, &name, false, done)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        self.check_path(&path)?;
        let (of, name) = (Resource::new_borrow(fd.rep()), path.clone());
        let done = HostDescriptor::readlink_at(&mut self.filesystem(), fd, path).await;
        self.judge(&of, &name, false, done)
    }

    async fn metadata_hash_at(&mut self, fd: Fd, flags: PathFlags, path: String) -> FsResult<MetadataHashValue> {
        self.check_path(&path)?;
        let (of, name) = (Resource::new_borrow(fd.rep()), path.clone());
        let done = HostDescriptor::metadata_hash_at(&mut self.filesystem(), fd, flags, path).await;
        self.judge(&of, &name, false, done)
    }

    // What follows changes nothing and names no path.

    async fn advise(&mut self, fd: Fd, offset: Filesize, len: Filesize, advice: Advice) -> FsResult<()> {
        HostDescriptor::advise(&mut self.filesystem(), fd, offset, len, advice).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        HostDescriptor::sync_data(&mut self.filesystem(), fd).await
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        HostDescriptor::sync(&mut self.filesystem(), fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        HostDescriptor::get_flags(&mut self.filesystem(), fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        HostDescriptor::get_type(&mut self.filesystem(), fd).await
    }

    async fn read(&mut self, fd: Fd, len: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        HostDescriptor::read(&mut self.filesystem(), fd, len, offset).await
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        if let Ok(Descriptor::Dir(folder)) = self.table.get(&fd) {
            let (folder, quota) = (Arc::clone(&folder.dir), self.quota());
            let listed = tokio::task::spawn_blocking(move || quota.list(&folder)).await;
            listed.map_err(FsError::trap)??.map_err(ErrorCode::from)?;
        }
        HostDescriptor::read_directory(&mut self.filesystem(), fd).await
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        HostDescriptor::stat(&mut self.filesystem(), fd).await
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        HostDescriptor::is_same_object(&mut self.filesystem(), a, b).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        HostDescriptor::metadata_hash(&mut self.filesystem(), fd).await
    }

    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        HostDescriptor::read_via_stream(&mut self.filesystem(), fd, offset)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.filesystem(), fd)
    }
}

impl HostDirectoryEntryStream for Guest {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        HostDirectoryEntryStream::read_directory_entry(&mut self.filesystem(), stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.filesystem(), stream)
    }
}
