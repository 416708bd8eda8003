"""Questions to the demo, as a user types them, with the functions that answer each.

They were written before the demo's data and model were tuned. Settings were chosen by ``TUNING`` and 50 further
questions that are not kept here; ``HELD_OUT`` was measured afterwards. One setting was changed after that: five trees
in place of three, because the answers to the other questions then depend less on the seed.
"""

from __future__ import annotations

TUNING: list[tuple[str, list[str]]] = [
    (
        "encode bytes as base64",
        [
            "base64.b64encode",
            "base64.standard_b64encode",
            "base64.urlsafe_b64encode",
            "base64.encodebytes",
            "base64.encode",
            "binascii.b2a_base64",
        ],
    ),
    (
        "pick a random element from a list",
        [
            "random.choice",
            "random.choices",
            "random.sample",
            "random.Random.choice",
            "random.Random.choices",
            "random.Random.sample",
            "secrets.choice",
            "numpy.random.choice",
        ],
    ),
    ("sha256 of a file", ["hashlib.sha256", "hashlib.new", "hashlib.file_digest"]),
    ("fourier transform of a signal", ["numpy.fft.fft", "numpy.fft.rfft", "scipy.fft.fft", "scipy.fft.rfft"]),
    ("all combinations of two items from a list", ["itertools.combinations"]),
    ("greatest common divisor", ["math.gcd", "numpy.gcd"]),
    (
        "run a shell command and get its output",
        [
            "subprocess.run",
            "subprocess.check_output",
            "subprocess.getoutput",
            "subprocess.getstatusoutput",
            "subprocess.Popen",
            "subprocess.Popen.communicate",
            "os.popen",
        ],
    ),
    ("square root of a number", ["math.sqrt", "math.isqrt", "cmath.sqrt", "numpy.sqrt"]),
    (
        "count how often each word occurs",
        ["collections.Counter", "collections.Counter.most_common", "collections.Counter.update"],
    ),
    (
        "connect to a server over tcp",
        ["socket.create_connection", "socket.socket", "socket.socket.connect", "asyncio.open_connection"],
    ),
    (
        "run a function in several processes at once",
        [
            "multiprocessing.Pool",
            "multiprocessing.Process",
            "multiprocessing.pool.Pool",
            "multiprocessing.pool.Pool.map",
            "concurrent.futures.ProcessPoolExecutor",
            "concurrent.futures.process.ProcessPoolExecutor",
            "joblib.Parallel",
        ],
    ),
    (
        "parse command line arguments",
        [
            "argparse.ArgumentParser",
            "argparse.ArgumentParser.parse_args",
            "argparse.ArgumentParser.add_argument",
            "optparse.OptionParser",
            "optparse.OptionParser.parse_args",
            "getopt.getopt",
        ],
    ),
    ("read a csv file into rows", ["csv.reader", "csv.DictReader"]),
    ("split a url into its parts", ["urllib.parse.urlsplit", "urllib.parse.urlparse"]),
    ("compress bytes", ["zlib.compress", "gzip.compress", "bz2.compress", "lzma.compress", "zlib.compressobj"]),
    ("deep copy of an object", ["copy.deepcopy"]),
    (
        "start a thread and wait for it",
        ["threading.Thread", "threading.Thread.start", "threading.Thread.join"],
    ),
    (
        "shuffle a list in random order",
        [
            "random.shuffle",
            "random.Random.shuffle",
            "numpy.random.shuffle",
            "numpy.random.permutation",
            "sklearn.utils.shuffle",
        ],
    ),
    (
        "wrap long text to a given line width",
        [
            "textwrap.wrap",
            "textwrap.fill",
            "textwrap.TextWrapper",
            "textwrap.TextWrapper.wrap",
            "textwrap.TextWrapper.fill",
        ],
    ),
    ("copy a directory with everything in it", ["shutil.copytree"]),
]

HELD_OUT: list[tuple[str, list[str]]] = [
    (
        "save python objects to disk",
        ["pickle.dump", "pickle.dumps", "pickle.Pickler", "pickle.Pickler.dump", "shelve.open", "joblib.dump"],
    ),
    ("n largest items of a list", ["heapq.nlargest"]),
    (
        "median of a list of numbers",
        ["statistics.median", "numpy.median", "statistics.median_low", "statistics.median_high"],
    ),
    ("escape html special characters", ["html.escape", "xml.sax.saxutils.escape"]),
    ("invert a matrix", ["numpy.linalg.inv", "numpy.linalg.pinv", "scipy.linalg.inv", "scipy.linalg.pinv"]),
    ("download a web page", ["urllib.request.urlopen", "urllib.request.urlretrieve"]),
    (
        "format a date as text",
        [
            "datetime.datetime.strftime",
            "datetime.date.strftime",
            "time.strftime",
            "datetime.date.isoformat",
            "datetime.datetime.isoformat",
            "time.asctime",
            "time.ctime",
        ],
    ),
    ("standard deviation", ["numpy.std", "statistics.stdev", "statistics.pstdev", "numpy.nanstd"]),
    (
        "unzip an archive",
        ["zipfile.ZipFile", "zipfile.ZipFile.extractall", "zipfile.ZipFile.extract", "shutil.unpack_archive"],
    ),
    ("find all regex matches in a string", ["re.findall", "re.finditer"]),
    (
        "solve a system of linear equations",
        ["numpy.linalg.solve", "numpy.linalg.lstsq", "scipy.linalg.solve", "scipy.linalg.lstsq"],
    ),
    (
        "cache the results of a function",
        ["functools.lru_cache", "functools.cache", "joblib.Memory", "joblib.Memory.cache"],
    ),
    ("delete a file", ["os.remove", "os.unlink", "pathlib.Path.unlink"]),
    (
        "join two arrays together",
        ["numpy.concatenate", "numpy.hstack", "numpy.vstack", "numpy.stack", "numpy.append", "numpy.concat"],
    ),
    ("evenly spaced numbers between two values", ["numpy.linspace", "numpy.arange"]),
    (
        "list all files in a folder",
        [
            "os.listdir",
            "os.scandir",
            "os.walk",
            "glob.glob",
            "glob.iglob",
            "pathlib.Path.iterdir",
            "pathlib.Path.glob",
            "pathlib.Path.rglob",
            "pathlib.Path.walk",
        ],
    ),
    ("parse json text", ["json.loads", "json.JSONDecoder", "json.JSONDecoder.decode"]),
    (
        "make a temporary file",
        ["tempfile.NamedTemporaryFile", "tempfile.TemporaryFile", "tempfile.mkstemp", "tempfile.SpooledTemporaryFile"],
    ),
    ("replace text using a regular expression", ["re.sub", "re.subn"]),
    ("sort a list of dictionaries by a key", ["sorted", "operator.itemgetter", "list.sort"]),
]
