"""
What a program of a round with several nodes does; `program.py` runs these lines first. Each operation goes through the
kernel and returns what it saw, also where it failed: `errno` and the `step` that failed.

A file is lines of 16 bytes, each a token that is written once in a round. Its `runs` are its lines, the same lines one
after the other counted.
"""
import random

line_bytes = 16
chunk_bytes = 65_536

def to_runs(content):
    runs = []
    for start in range(0, len(content), line_bytes):
        line = content[start:start + line_bytes].decode('latin-1').rstrip(' \n')
        if runs and runs[-1][0] == line:
            runs[-1][1] += 1
        else:
            runs.append([line, 1])
    return runs

def to_line(token):
    return token.encode().ljust(line_bytes - 1) + b'\n'

class Steps:
    """The steps of an operation, with a pause of its own between each two; the first that fails ends it."""
    def __init__(self, pauses_ms):
        self.pauses_ms = list(pauses_ms)
        self.step = 'start'
        self.answer = {}

    def pause(self):
        if self.pauses_ms:
            time.sleep(self.pauses_ms.pop(0) / 1000)

    def __call__(self, step, call, *arguments):
        self.step = step
        begin = time.monotonic()
        try:
            value = call(*arguments)
        finally:
            duration_ms = (time.monotonic() - begin) * 1000
            if duration_ms > self.answer.get('slowestMs', 0):
                self.answer.update(slowest=step, slowestMs=duration_ms)
        self.pause()
        return value

def attempt(pauses_ms, operation):
    steps = Steps(pauses_ms)
    try:
        operation(steps)
    except OSError as error:
        steps.answer.update(errno=errno.errorcode[error.errno], step=steps.step)
    return steps.answer

def closing(steps, fd, operation):
    """Closes as a program does that looks at the result of close()."""
    try:
        operation()
    except OSError:
        try:
            os.close(fd)
        except OSError:
            pass
        raise
    steps('close', os.close, fd)

def read_rest(fd, steps, into):
    while True:
        part = steps('read', os.read, fd, chunk_bytes)
        if not part:
            return
        into.extend(part)

def write_all(fd, data, steps):
    while data:
        data = data[steps('write', os.write, fd, data):]

def op_read(name, pauses_ms):
    content = bytearray()
    def operation(steps):
        fd = steps('open', os.open, at(name), os.O_RDONLY)
        closing(steps, fd, lambda: read_rest(fd, steps, content))
    answer = attempt(pauses_ms, operation)
    return {**answer, 'runs': to_runs(bytes(content))}

def op_append(name, tokens, flags, is_synced, pauses_ms):
    """`acknowledged`: how many of the tokens an fsync() or the close() has told to be safe."""
    answer = {'acknowledged': 0, 'written': 0}
    def operation(steps):
        fd = steps('open', os.open, at(name), os.O_WRONLY | os.O_APPEND | flags, 0o644)
        def append():
            for token in tokens:
                answer['written'] += 1
                steps('write', os.write, fd, to_line(token))
                if is_synced:
                    steps('fsync', os.fsync, fd)
                    answer['acknowledged'] = answer['written']
        closing(steps, fd, append)
        answer['acknowledged'] = answer['written']
    return {**attempt(pauses_ms, operation), **answer}

def op_overwrite(name, token, count, flags, pauses_ms):
    def operation(steps):
        fd = steps('open', os.open, at(name), os.O_WRONLY | os.O_TRUNC | flags, 0o644)
        closing(steps, fd, lambda: write_all(fd, to_line(token) * count, steps))
    return attempt(pauses_ms, operation)

def op_replace(name, token, count, pauses_ms):
    """As editors and package managers do: a new file, then a rename over the old one."""
    def operation(steps):
        temporary = at(name) + '.' + token
        fd = steps('open', os.open, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        closing(steps, fd, lambda: write_all(fd, to_line(token) * count, steps))
        steps('rename', os.rename, temporary, at(name))
    return attempt(pauses_ms, operation)

def op_patch(name, token, position, is_cut, pauses_ms):
    """Reads a file and changes a line of it; or cuts it off there, and appends the line."""
    answer = {}
    def operation(steps):
        fd = steps('open', os.open, at(name), os.O_RDWR)
        def patch():
            content = bytearray()
            read_rest(fd, steps, content)
            lines = max(1, len(content) // line_bytes)
            offset = position % lines * line_bytes
            if is_cut:
                steps('ftruncate', os.ftruncate, fd, offset)
                del content[offset:]
            steps('write', os.pwrite, fd, to_line(token), offset)
            content[offset:offset + line_bytes] = to_line(token)
            answer['runs'] = to_runs(bytes(content))
        closing(steps, fd, patch)
    return {**attempt(pauses_ms, operation), **answer}

def op_call(step, call, *arguments):
    return attempt([], lambda steps: steps(step, call, *arguments))

def op_truncate(name):
    return op_call('truncate', os.truncate, at(name), 0)

def op_rename(name, to, flags):
    return op_call('rename', lambda: renameat2(name, to, flags) if flags else os.rename(at(name), at(to)))

def op_unlink(name):
    return op_call('unlink', os.unlink, at(name))

def op_mkdir(name):
    return op_call('mkdir', os.mkdir, at(name))

def op_rmdir(name):
    return op_call('rmdir', os.rmdir, at(name))

def op_chmod(name, mode):
    return op_call('chmod', os.chmod, at(name), mode)

def op_utime(name, atime):
    return op_call('utime', lambda: os.utime(at(name), (atime, atime)))

def op_exclusive(name, token):
    """A lock file: of all that make it, one succeeds."""
    def operation(steps):
        fd = steps('open', os.open, at(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        closing(steps, fd, lambda: write_all(fd, to_line(token), steps))
    return attempt([], operation)

def op_look_at_root():
    """What a kubelet and a shell ask of a mount, whatever S3 does."""
    def operation(steps):
        steps('stat', os.stat, at(''))
        steps('statvfs', os.statvfs, at(''))
    return attempt([], operation)

def op_list_root():
    return op_call('list', os.listdir, at(''))

def list_tree():
    """Every entry: its kind, and of files size, mode and time of access."""
    entries = {}
    for parent, directories, files in os.walk(at('')):
        for entry in directories:
            entries[os.path.relpath(os.path.join(parent, entry), at(''))] = {'kind': 'directory'}
        for entry in files:
            path = os.path.join(parent, entry)
            status = os.stat(path)
            entries[os.path.relpath(path, at(''))] = {'kind': 'file', 'bytes': status.st_size, 'mode': status.st_mode & 0o7777, 'atime': int(status.st_atime)}
    return entries
