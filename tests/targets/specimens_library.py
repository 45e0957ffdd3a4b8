# SPDX-License-Identifier: Apache-2.0
"""Specimens: weak references, hashes, random numbers, logging, xml, json, csv,
databases."""

import argparse
import configparser
import contextlib
import csv
import email.message
import hashlib
import hmac
import io
import json
import logging
import logging.handlers
import random
import string
import types
import weakref
import xml.dom.minidom
import xml.etree.ElementTree


class Referent:
    def __init__(self, name):
        self.name = name

    def method(self):
        return self.name

    def __repr__(self):
        return "Referent(%r)" % self.name


def weak(c):
    kept = c.keep(Referent("kept"))
    other = c.keep(Referent("other"))
    g = c.group("weakref.ref")
    g.add("alive", lambda: weakref.ref(kept), "x().name")
    g.add("dead", lambda: weakref.ref(Referent("gone")), "x()")
    g.add("callback", lambda: weakref.ref(kept, len), "x.__callback__")
    g = c.group("weakref.WeakKeyDictionary")

    def keys():
        made = weakref.WeakKeyDictionary()
        made[kept] = "value"
        made[other] = [2]
        return made

    g.add(
        "two",
        keys,
        ("2", "len(x)", "len(x.data)"),
        ("['value', [2]]", "list(x.values())", "list(x.data.values())"),
    )
    g = c.group("weakref.WeakValueDictionary")

    def values():
        made = weakref.WeakValueDictionary()
        made["k"] = kept
        return made

    g.add(
        "one",
        values,
        ("['k']", "list(x)", "list(x.data)"),
        ("'kept'", "x['k'].name", "x.data['k']().name"),
    )
    g = c.group("weakref.WeakSet")
    g.add("two", lambda: weakref.WeakSet([kept, other]), ("2", "len(x)", "len(x.data)"))
    g = c.group("weakref.WeakMethod")
    g.add(
        "alive",
        lambda: weakref.WeakMethod(kept.method),
        ("'kept'", "x().__self__.name", "x.__self__.name"),
    )
    g = c.group("weakref.finalize")
    g.add("alive", lambda: weakref.finalize(kept, len, "abc"), "x.alive", "x.peek()[0].name")
    g = c.group("weakref.ProxyType", "x.name")
    g.add("alive", lambda: weakref.proxy(kept))


def hashes(c):
    g = c.group("hashlib", "x.name", "x.digest_size", "x.block_size")

    def fed(make):
        made = make()
        made.update(b"some text that is hashed")
        return made

    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256"):
        g.add(name, lambda name=name: fed(getattr(hashlib, name)))
    g.add("blake2b", lambda: fed(lambda: hashlib.blake2b(digest_size=20)))
    g.add("blake2s", lambda: fed(hashlib.blake2s))
    c.group("hashlib", "x.name", "x.block_size").add("shake_128", lambda: fed(hashlib.shake_128))

    def own(module, name):
        return lambda: fed(getattr(__import__(module), name))

    g = c.group("own hashes", "x.name", "x.digest_size", "x.block_size")
    g.add("md5", own("_md5", "md5"))
    g.add("sha1", own("_sha1", "sha1"))
    g.add("sha256", own("_sha256", "sha256"), until=(3, 11))
    g.add("sha2", own("_sha2", "sha256"), since=(3, 12))
    g.add("sha3", own("_sha3", "sha3_512"))
    g = c.group("hmac.HMAC", "x.digest_size", "x.block_size")
    g.add("sha256", lambda: hmac.new(b"k", b"text", "sha256"))


def chance(c):
    def used(seed):
        made = random.Random(seed)
        made.random()
        return made

    state = "x.getstate()[1]"
    g = c.group("random.Random", state)
    g.add("seeded", lambda: used(7))

    def gauss():
        made = used(8)
        made.gauss(0, 1)
        return made

    g.add("gauss", gauss, "x.gauss_next")
    c.group("random.SystemRandom").add("plain", random.SystemRandom)


def logs(c):
    handler = c.keep(logging.StreamHandler(io.StringIO()))
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    logger = logging.getLogger("catalogue.child")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    g = c.group("logging.Logger", "x.name", "x.level", "x.propagate", "len(x.handlers)")
    g.add("child", lambda: logger, "x.parent.name")
    g.add("root", lambda: logging.getLogger())
    g = c.group("logging.StreamHandler", "x.level", "x.formatter._fmt")
    g.add("of memory", lambda: handler)
    c.group("logging.NullHandler", "x.level").add("plain", logging.NullHandler)
    c.group("logging.handlers.MemoryHandler", "x.capacity", "x.buffer").add(
        "empty", lambda: logging.handlers.MemoryHandler(10)
    )
    c.group("logging.Formatter", "x._fmt", "x.datefmt").add("plain", logging.Formatter)
    g = c.group("logging.LogRecord", "x.msg", "x.args", "x.levelno", "x.name")
    g.add("with arguments", lambda: logging.LogRecord("n", 30, "p.py", 7, "msg %s", ("a",), None))
    g = c.group("logging.LoggerAdapter", "x.extra", "x.logger.name")
    g.add("extra", lambda: logging.LoggerAdapter(logger, {"k": 1}))
    c.group("logging.Filter", "x.name").add("named", lambda: logging.Filter("a.b"))


def documents(c):
    ET = xml.etree.ElementTree
    text = "<root a='1' b='2'>head<child/><child k='v'>inner</child>tail<last/></root>"
    g = c.group(
        "xml.etree.ElementTree.Element",
        "x.tag",
        "x.attrib",
        "x.text",
        "x.tail",
        "[e.tag for e in x]",
        "len(x)",
    )
    g.add("root", lambda: ET.fromstring(text), "x[1].text", "x[1].tail", "x[1].attrib")
    g.add("leaf", lambda: ET.Element("leaf"))
    g.add("made", lambda: ET.Element("{ns}tag", {"k": "v"}, more="m"))

    def many():
        made = ET.Element("many")
        for number in range(30):
            ET.SubElement(made, "n%d" % number).text = str(number)
        return made

    g.add("many children", many, "x[29].text")
    g = c.group("xml.etree.ElementTree.ElementTree", "x._root.tag")
    g.add("of an element", lambda: ET.ElementTree(ET.Element("top")))
    c.group("xml.etree.ElementTree.QName", "x.text").add("plain", lambda: ET.QName("ns", "tag"))
    g = c.group("xml.etree.ElementTree.XMLParser")
    g.add("fresh", ET.XMLParser)
    g = c.group("xml.dom.minidom.Document", "x.nodeType", "len(x.childNodes)")
    g.add("parsed", lambda: xml.dom.minidom.parseString("<a><b/></a>"))
    g = c.group("json.JSONEncoder", "x.indent", "x.sort_keys", "x.item_separator")
    g.add("plain", lambda: json.JSONEncoder(indent=2, sort_keys=True))
    c.group("json.JSONDecoder", "x.strict", "x.object_hook").add("plain", json.JSONDecoder)

    def bad():
        try:
            json.loads("{bad")
        except ValueError as error:
            return error.with_traceback(None)

    g = c.group("json.JSONDecodeError", "x.msg", "x.pos", "x.doc", "x.args")
    g.add("raised", bad)
    c.group("json.scanner.Scanner").add("plain", lambda: json.JSONDecoder().scan_once, "x.strict")
    g = c.group("csv.reader", "x.line_num")

    def reader():
        made = csv.reader(["a,b", "c,d"])
        next(made)
        return made

    g.add("halfway", reader, "x.dialect.delimiter")
    c.group("csv.writer", "x.dialect.delimiter").add(
        "plain", lambda: csv.writer(io.StringIO(), delimiter=";")
    )
    g = c.group(
        "csv.Dialect", "x.delimiter", "x.quotechar", "x.skipinitialspace", "x.lineterminator"
    )
    g.add("excel", lambda: csv.get_dialect("excel"))
    g = c.group("csv.DictReader", "x.fieldnames", "x.line_num")
    g.add("halfway", lambda: (lambda r: (next(r), r)[1])(csv.DictReader(["a,b", "1,2", "3,4"])))
    g = c.group("configparser.ConfigParser", "sorted(x._sections)", "dict(x._sections['s'])")

    def config():
        made = configparser.ConfigParser()
        made.read_string("[s]\nk = v\n")
        return made

    g.add("read", config)
    g = c.group("argparse.Namespace", "x.verbose", "x.names")
    g.add("parsed", lambda: argparse.Namespace(verbose=True, names=["a"]))
    g = c.group("email.message.Message", "x._headers", "x._payload")

    def message():
        made = email.message.Message()
        made["Subject"] = "hi"
        made.set_payload("body")
        return made

    g.add("made", message)
    g = c.group("string.Template", "x.template")
    g.add("plain", lambda: string.Template("$who likes"))
    g = c.group("contextlib.ExitStack", "len(x._exit_callbacks)")

    def stack():
        made = contextlib.ExitStack()
        made.callback(len, "abc")
        return made

    g.add("one", stack)
    c.group("types.GetSetDescriptorType", "x.__name__").add(
        "of a class", lambda: vars(types.FrameType)["f_locals"]
    )


def templates(c):
    def hole():
        from string.templatelib import Interpolation

        return Interpolation([3], "x", "r", ">3")

    def template():
        from string.templatelib import Template

        return Template("a", hole(), "", "b")

    g = c.group("string.templatelib.Template", since=(3, 14))
    g.add("some", template, "x.strings", "x.values")
    g = c.group("string.templatelib.Interpolation", since=(3, 14))
    g.add("some", hole, "x.value", "x.expression", "x.conversion", "x.format_spec")


def databases(c):
    def connection(path=":memory:"):
        import sqlite3

        made = sqlite3.connect(path, isolation_level="EXCLUSIVE")
        made.execute("create table if not exists t (a, b)")
        made.execute("insert into t values (1, 'two')")
        return made

    def cursor():
        made = connection().cursor()
        made.execute("select a, b from t")
        return made

    def row():
        import sqlite3

        made = connection()
        made.row_factory = sqlite3.Row
        return made.execute("select a, b from t").fetchone()

    path = ("':memory:'", "x.path", "x.database")
    g = c.group("sqlite3.Connection", "x.isolation_level", "x.row_factory")
    g.add("memory", connection)
    g = c.group("sqlite3.Connection")
    g.add("path of memory", connection, path)
    g = c.group("sqlite3.Cursor", "x.rowcount", "x.arraysize", "x.description")
    g.add("executed", cursor, "x.lastrowid")
    g = c.group("sqlite3.Row", "tuple(x)", "x.keys()", "len(x)")
    g.add("fetched", row)


def collect(c):
    weak(c)
    hashes(c)
    chance(c)
    logs(c)
    documents(c)
    templates(c)
    databases(c)
