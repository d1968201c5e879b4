"""
Random operations on the bytes of a few files of a mounted directory, and the same on a model in memory: after each one
both have the same bytes, as fsx has it.

  python3 random-bytes.py DIRECTORY SEED COUNT BYTES_MAX [direct] [drop-caches]

`direct`: some opens are with O_DIRECT, of any alignment. `drop-caches`: the page cache of the whole machine is dropped at times.

Ends with one line of JSON: `counts` of the operations, and `files`, the SHA-256 of each file; or `failure`, with the
last operations and what was expected.
"""
import collections, ctypes, errno, hashlib, json, mmap, os, random, sys, traceback

directory, seed, count, bytes_max = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
source = random.Random(seed)
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(1, 9)  # It ends with the process that started it.
counts = collections.Counter()
history = collections.deque(maxlen=60)
names = ['a', 'b', 'c', 'd/a', 'd/b']
punch_hole, zero_range, keep_size = 2, 16, 1
may_be_direct, may_drop_caches = 'direct' in sys.argv[5:], 'drop-caches' in sys.argv[5:]

class Wrong(Exception):
    pass

class File:
    """What a file must have; it outlives its name while it is open."""
    def __init__(self):
        self.bytes = bytearray()

    def grow(self, size):
        if size > len(self.bytes):
            self.bytes.extend(bytes(size - len(self.bytes)))

    def write(self, offset, data):
        if data:
            self.grow(offset)
            self.bytes[offset:offset + len(data)] = data

class Open:
    def __init__(self, file, fd, name, flags):
        self.file, self.fd, self.name, self.flags = file, fd, name, flags
        self.can_read = flags & os.O_ACCMODE != os.O_WRONLY
        self.can_write = flags & os.O_ACCMODE != os.O_RDONLY
        self.appends = flags & os.O_APPEND != 0

files, opens = {}, []

def at(name):
    return os.path.join(directory, name)

def note(text):
    history.append(text)

def compare(what, actual, expected):
    if actual == expected:
        return
    if len(actual) != len(expected):
        where = next((i for i, (x, y) in enumerate(zip(actual, expected)) if x != y), min(len(actual), len(expected)))
        raise Wrong(f'{what}: {len(actual)} bytes in place of {len(expected)}; they differ from byte {where} on')
    where = next(i for i, (x, y) in enumerate(zip(actual, expected)) if x != y)
    last = max(i for i, (x, y) in enumerate(zip(actual, expected)) if x != y)
    raise Wrong(f'{what}: bytes {where} to {last} differ: {bytes(actual[where:where + 16]).hex()} in place of {bytes(expected[where:where + 16]).hex()}')

def some_data(length):
    # Each write has bytes of its own, so that old bytes are told from new ones.
    word = source.getrandbits(64).to_bytes(8, 'big')
    return (word * (length // 8 + 1))[:length]

def some_length():
    kind = source.random()
    return source.randrange(1, 200) if kind < .4 else source.randrange(1, 9000) if kind < .8 else source.randrange(1, max(2, bytes_max // 3))

def some_offset(size):
    kind = source.random()
    if kind < .5:
        return source.randrange(size + 1)
    if kind < .7:
        return size
    if kind < .9:
        return source.randrange(size // 4096 + 2) * 4096
    return min(bytes_max, size + source.randrange(1, 20_000))

def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))

def read_whole(fd, length, offset):
    parts = []
    while length > 0:
        part = os.pread(fd, length, offset)
        if not part:
            break
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b''.join(parts)

def write_whole(fd, data, offset):
    while data:
        written = os.pwrite(fd, data, offset)
        offset, data = offset + written, data[written:]

def close(opened):
    opens.remove(opened)
    os.close(opened.fd)

# Each of these does one operation, or returns False when it does not apply.

def open_file():
    if len(opens) > 6:
        return False
    name = source.choice(names)
    flags = source.choice([os.O_RDWR] * 4 + [os.O_RDONLY, os.O_WRONLY])
    is_writing = flags != os.O_RDONLY
    if is_writing and source.random() < .25:
        flags |= os.O_APPEND
    if is_writing and source.random() < .1:
        flags |= os.O_TRUNC
    if may_be_direct and source.random() < .1:
        flags |= os.O_DIRECT
    if name not in files:
        if not is_writing:
            return False
        flags |= os.O_CREAT | (os.O_EXCL if source.random() < .3 else 0)
    note(f'open {name} {flags:o}')
    fd = os.open(at(name), flags, 0o644)
    file = files.setdefault(name, File())
    if flags & os.O_TRUNC:
        file.bytes.clear()
    opens.append(Open(file, fd, name, flags))

def close_file():
    if not opens:
        return False
    opened = source.choice(opens)
    note(f'close {opened.name} #{opened.fd}')
    close(opened)

def some_open(reads=False, writes=False):
    fitting = [opened for opened in opens if (opened.can_read or not reads) and (opened.can_write or not writes)]
    return source.choice(fitting) if fitting else None

def is_direct(opened):
    return opened.flags & os.O_DIRECT

def read():
    opened = some_open(reads=True)
    if opened is None:
        return False
    offset, length = some_offset(len(opened.file.bytes)), some_length()
    note(f'read {opened.name} #{opened.fd} {offset}+{length}')
    compare(f'read of {opened.name}', read_whole(opened.fd, length, offset), opened.file.bytes[offset:offset + length])

def write():
    opened = some_open(writes=True)
    if opened is None:
        return False
    size = len(opened.file.bytes)
    offset, data = size if opened.appends else some_offset(size), some_data(some_length())
    if offset + len(data) > bytes_max:
        return False
    note(f'write {opened.name} #{opened.fd} {offset}+{len(data)} {data[:8].hex()}')
    write_whole(opened.fd, data, offset)
    opened.file.write(offset, data)

def truncate():
    opened = some_open(writes=True)
    if opened is None:
        return False
    size = min(bytes_max, some_offset(len(opened.file.bytes)))
    note(f'ftruncate {opened.name} #{opened.fd} {size}')
    os.ftruncate(opened.fd, size)
    del opened.file.bytes[size:]
    opened.file.grow(size)

def truncate_by_name():
    if not files:
        return False
    name = source.choice(sorted(files))
    size = min(bytes_max, some_offset(len(files[name].bytes)))
    note(f'truncate {name} {size}')
    os.truncate(at(name), size)
    del files[name].bytes[size:]
    files[name].grow(size)

def map_read():
    opened = some_open(reads=True)
    if opened is None or is_direct(opened) or not opened.file.bytes:
        return False
    note(f'mmap read {opened.name} #{opened.fd}')
    size = len(opened.file.bytes)
    with mmap.mmap(opened.fd, size, mmap.MAP_SHARED, mmap.PROT_READ) as mapping:
        offset = source.randrange(size)
        length = some_length()
        compare(f'mapping of {opened.name} at {offset}', mapping[offset:offset + length], opened.file.bytes[offset:offset + length])

def map_write():
    opened = some_open(reads=True, writes=True)
    if opened is None or is_direct(opened) or opened.appends or not opened.file.bytes:
        return False
    size = len(opened.file.bytes)
    offset = source.randrange(size)
    data = some_data(min(some_length(), size - offset))
    note(f'mmap write {opened.name} #{opened.fd} {offset}+{len(data)} {data[:8].hex()}')
    with mmap.mmap(opened.fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as mapping:
        mapping[offset:offset + len(data)] = data
        if source.random() < .7:
            mapping.flush()
    opened.file.write(offset, data)

def punch():
    opened = some_open(writes=True)
    if opened is None:
        return False
    mode = source.choice([keep_size | punch_hole, zero_range, keep_size | zero_range, 0])
    size = len(opened.file.bytes)
    offset, length = some_offset(size), some_length()
    if offset + length > bytes_max:
        return False
    note(f'fallocate {opened.name} #{opened.fd} mode {mode} {offset}+{length}')
    fallocate(opened.fd, mode, offset, length)
    if not mode & keep_size:
        opened.file.grow(offset + length)
    if mode & (punch_hole | zero_range):
        end = min(offset + length, len(opened.file.bytes))
        if end > offset:
            opened.file.bytes[offset:end] = bytes(end - offset)

def copy():
    source_open, target = some_open(reads=True), some_open(writes=True)
    if source_open is None or target is None or target.appends:
        return False
    offset, length = some_offset(len(source_open.file.bytes)), some_length()
    length = min(length, max(0, len(source_open.file.bytes) - offset))
    to = some_offset(len(target.file.bytes))
    is_overlap = source_open.file is target.file and to < offset + length and offset < to + length
    if length == 0 or to + length > bytes_max or is_overlap:
        return False
    note(f'copy_file_range {source_open.name} #{source_open.fd} {offset}+{length} -> {target.name} #{target.fd} {to}')
    data = bytes(source_open.file.bytes[offset:offset + length])
    done = 0
    while done < length:
        copied = os.copy_file_range(source_open.fd, target.fd, length - done, offset + done, to + done)
        if copied == 0:
            raise Wrong(f'copy_file_range copied {done} bytes in place of {length}')
        done += copied
    target.file.write(to, data)

def synchronize():
    opened = some_open(writes=True)
    if opened is None:
        return False
    note(f'fsync {opened.name} #{opened.fd}')
    os.fsync(opened.fd)

def drop_pages():
    opened = some_open()
    if opened is None:
        return False
    note(f'fadvise DONTNEED {opened.name} #{opened.fd}')
    os.posix_fadvise(opened.fd, 0, 0, os.POSIX_FADV_DONTNEED)

def drop_caches():
    if not may_drop_caches or source.random() > .05:
        return False
    note('drop_caches')
    with open('/proc/sys/vm/drop_caches', 'w') as switch:
        switch.write(source.choice(['1', '2', '3']))

def rename():
    if not files:
        return False
    name, to = source.choice(sorted(files)), source.choice(names)
    if name == to:
        return False
    note(f'rename {name} {to}')
    os.rename(at(name), at(to))
    files[to] = files.pop(name)
    for opened in opens:
        if opened.file is files[to]:
            opened.name = to

def unlink():
    if not files:
        return False
    name = source.choice(sorted(files))
    note(f'unlink {name}')
    os.unlink(at(name))
    del files[name]

def look():
    opened = some_open()
    if opened is None:
        return False
    note(f'fstat {opened.name} #{opened.fd}')
    size, end = os.fstat(opened.fd).st_size, os.lseek(opened.fd, 0, os.SEEK_END)
    if size != len(opened.file.bytes) or end != size:
        raise Wrong(f'fstat of {opened.name} says {size} bytes, lseek {end}, in place of {len(opened.file.bytes)}')

def look_by_name():
    if not files:
        return False
    name = source.choice(sorted(files))
    note(f'stat {name}')
    size = os.stat(at(name)).st_size
    if size != len(files[name].bytes):
        raise Wrong(f'stat of {name} says {size} bytes in place of {len(files[name].bytes)}')

def read_by_name():
    if not files:
        return False
    name = source.choice(sorted(files))
    note(f'read all of {name}')
    with open(at(name), 'rb') as file:
        compare(f'all of {name}', file.read(), files[name].bytes)

weighted = [
    (open_file, 8), (close_file, 5), (read, 22), (write, 22), (truncate, 6), (truncate_by_name, 1), (map_read, 6), (map_write, 5), (punch, 6), (copy, 5),
    (synchronize, 1), (drop_pages, 4), (drop_caches, 1), (rename, 1), (unlink, .5), (look, 4), (look_by_name, 3), (read_by_name, 1),
]
operations, weights = zip(*weighted)

def run():
    os.makedirs(at('d'), exist_ok=True)
    while sum(counts.values()) < count:
        operation = source.choices(operations, weights)[0]
        try:
            if operation() is not False:
                counts[operation.__name__] += 1
        except OSError as error:
            raise Wrong(f'{operation.__name__} failed with {errno.errorcode[error.errno]}: {traceback.format_exc()}') from error
    for opened in list(opens):
        note(f'close {opened.name} #{opened.fd}')
        close(opened)
    for name, file in files.items():
        with open(at(name), 'rb') as opened:
            compare(f'all of {name} at the end', opened.read(), file.bytes)

try:
    run()
    print(json.dumps({'counts': counts, 'files': {name: hashlib.sha256(file.bytes).hexdigest() for name, file in files.items()}}))
except Wrong as wrong:
    print(json.dumps({'failure': str(wrong), 'operations': list(history), 'count': sum(counts.values())}))
