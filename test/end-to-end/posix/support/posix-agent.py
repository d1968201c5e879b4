"""Makes system calls that Node.js has not: one JSON request per line of input, one JSON answer per line of output."""
import base64, ctypes, errno, fcntl, json, mmap, os, sys

libc = ctypes.CDLL(None, use_errno=True)
held = {}

def check(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result

class Timespec(ctypes.Structure):
    _fields_ = [('seconds', ctypes.c_long), ('nanoseconds', ctypes.c_long)]

def timespec(change):
    if change == 'now':
        return Timespec(0, 0x3fffffff)
    if change == 'omit':
        return Timespec(0, 0x3ffffffe)
    return Timespec(*divmod(int(change), 10 ** 9))

def utimens(path, atime, mtime):
    times = (Timespec * 2)(timespec(atime), timespec(mtime))
    check(libc.utimensat(-100, path.encode(), times, 0x100))

def setxattr(path, name, value, flags):
    os.setxattr(path, name, base64.b64decode(value), flags)

def getxattr(path, name):
    return base64.b64encode(os.getxattr(path, name)).decode()

def renameat2(source, destination, flags):
    check(libc.renameat2(-100, source.encode(), -100, destination.encode(), ctypes.c_uint(flags)))

def fallocate(path, mode, offset, length):
    fd = os.open(path, os.O_RDWR)
    try:
        check(libc.fallocate(fd, mode, ctypes.c_longlong(offset), ctypes.c_longlong(length)))
    finally:
        os.close(fd)

def copy_file_range(source, source_offset, destination, destination_offset, length):
    with open(source, 'rb') as reader, open(destination, 'r+b') as writer:
        return os.copy_file_range(reader.fileno(), writer.fileno(), length, source_offset, destination_offset)

def mmap_read(path, offset, length):
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
        return pages[offset:offset + length].decode()

def mmap_write(path, offset, text):
    with open(path, 'r+b') as file, mmap.mmap(file.fileno(), 0) as pages:
        pages[offset:offset + len(text)] = text.encode()
        pages.flush()

def lock(path, kind):
    held[path] = file = open(path, 'r+b')
    try:
        (fcntl.flock if kind == 'flock' else fcntl.lockf)(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.pop(path).close()
        raise

def unlock(path):
    held.pop(path).close()

calls = {function.__name__: function for function in [
    utimens, setxattr, getxattr, renameat2, fallocate, copy_file_range, mmap_read, mmap_write, lock, unlock,
    os.listxattr, os.removexattr, os.mkfifo, os.link]}

for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        answer = {'value': calls[name](*arguments)}
    except OSError as error:
        answer = {'errno': errno.errorcode[error.errno]}
    print(json.dumps(answer), flush=True)
