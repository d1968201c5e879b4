"""
Runs Python that it gets as lines of JSON, and answers each with a line of JSON: the value of the last expression, or the
failure. What a line of input has defined, the next ones see. Beside Python's modules there is: `at(name)`, a path in the
directory of the command line; `read(name)` and `write(name, content)` of whole files, `append(name, content)`;
`renameat2(source, destination, flags)`.
"""
import ast, ctypes, errno, fcntl, json, mmap, os, stat, sys, threading, time, traceback

answers = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)
libc = ctypes.CDLL(None, use_errno=True)

def at(name):
    return os.path.join(sys.argv[1], name)

def read(name):
    with open(at(name), 'rb') as file:
        return file.read()

def put(name, content, flags):
    fd = os.open(at(name), flags | os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)

def write(name, content):
    put(name, content, os.O_TRUNC)

def append(name, content):
    put(name, content, os.O_APPEND)

def renameat2(source, destination, flags):
    if libc.renameat2(-100, at(source).encode(), -100, at(destination).encode(), ctypes.c_uint(flags)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))

def run(text):
    tree = ast.parse(text)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, 'program', 'exec'), globals())
    return None if last is None else eval(compile(ast.Expression(last.value), 'program', 'eval'), globals())

for line in sys.stdin:
    try:
        answer = {'value': run(json.loads(line))}
    except OSError as error:
        answer = {'errno': errno.errorcode[error.errno], 'failure': traceback.format_exc()}
    except Exception:
        answer = {'failure': traceback.format_exc()}
    print(json.dumps(answer, default=lambda value: value.decode('latin-1')), file=answers, flush=True)
