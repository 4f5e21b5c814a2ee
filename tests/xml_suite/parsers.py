"""What expat and libxml2 make of a stream: the fault, if any, and the root's children by what they mean.

An element is `[namespace, name, attributes in order, content]`, as `reader.rs` writes ours.
"""

from pyexpat import ErrorString, ExpatError, ParserCreate

from lxml import etree

# Stands between a namespace and a name; no document may contain it.
SEPARATOR = "\f"
WHITESPACE = " \t\r\n"


def expanded(name):
    namespace, _, local = name.rpartition(SEPARATOR)
    return namespace, local


def element(name, attributes):
    expanded_attributes = sorted([*expanded(key), value] for key, value in attributes.items())
    return [*expanded(name), expanded_attributes, []]


def add_text(nodes, text):
    if nodes and isinstance(nodes[-1], str):
        nodes[-1] += text
    elif text:
        nodes.append(text)


class Expat:
    """One reading; also notes, in the order in which it comes, what XML has and XMPP has not."""

    def __init__(self, document):
        self.fault = None
        self.version = ""
        self.unwanted = []
        self.names_are_ascii = True
        self.elements = []
        self._open = []
        self._closed = False
        self._document = document
        self._parser = parser = ParserCreate(namespace_separator=SEPARATOR)
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = lambda *_: self._note("document type")
        parser.CommentHandler = lambda _: self._note("comment")
        parser.ProcessingInstructionHandler = lambda *_: self._note("processing instruction")
        parser.StartCdataSectionHandler = self._section
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(document, True)
        except ExpatError as error:
            self.fault = ErrorString(error.code)
        except ValueError as error:  # an encoding that Python cannot give to expat
            self.fault = str(error)
        self.ends_between = len(self._open) == 1

    def _declaration(self, version, _encoding, _standalone):
        self.version = version or ""

    def _note(self, what):
        self.unwanted.append("after the end" if self._closed else what)

    def _section(self):
        if len(self._open) == 1:
            self._note("text between elements")

    def _start(self, name, attributes):
        self._open.append(element(name, attributes))
        self.names_are_ascii &= all(expanded(each)[1].isascii() for each in [name, *attributes])

    def _end(self, _name):
        done = self._open.pop()
        self._closed = not self._open
        if len(self._open) == 1:
            self.elements.append(done)
        elif self._open:
            self._open[-1][3].append(done)

    def _text(self, text):
        if len(self._open) == 1:
            # Between elements, white space is white space only if it is written as it is.
            is_reference = self._document[self._parser.CurrentByteIndex :].startswith(b"&")
            if is_reference or text.strip(WHITESPACE):
                self._note("text between elements")
        elif self._open:
            add_text(self._open[-1][3], text)


class libxml2:
    """One reading."""

    def __init__(self, document):
        self.fault = None
        self.elements = []
        parser = self._parser(recover=False)
        try:
            root = etree.fromstring(document, parser)
        except etree.XMLSyntaxError as error:
            # It looks at namespaces as URIs, too, but that is not a matter of being well-formed.
            if any(entry.type != etree.ErrorTypes.WAR_NS_URI for entry in parser.error_log):
                self.fault = error.msg
                return
            root = etree.fromstring(document, self._parser(recover=True))
        self.elements = [self._plain(child) for child in root if isinstance(child.tag, str)]

    @staticmethod
    def _parser(recover):
        return etree.XMLParser(
            recover=recover,
            resolve_entities=False,
            load_dtd=False,
            attribute_defaults=False,
            no_network=True,
            huge_tree=True,
        )

    def _plain(self, node):
        attributes = {self._name(key): value for key, value in node.attrib.items()}
        plain = element(self._name(node.tag), attributes)
        add_text(plain[3], node.text or "")
        for child in node:
            if isinstance(child.tag, str):
                plain[3].append(self._plain(child))
            add_text(plain[3], child.tail or "")
        return plain

    @staticmethod
    def _name(name):
        qualified = etree.QName(name)
        return SEPARATOR.join([qualified.namespace or "", qualified.localname])
