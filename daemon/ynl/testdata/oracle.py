# SPDX-License-Identifier: Apache-2.0
#
# Decodes messages with the kernel's own client, for a comparison: oracle.py LINUX. Each
# line of the input is SPECIFICATION COMMAND HEX, and each line of the output the JSON.
# Values without a form in JSON are objects: {"$bytes": HEX} and {"$flags": [NAME or BIT...]}.

import functools
import json
import sys

sys.path.insert(0, sys.argv[1] + "/tools/net/ynl/pyynl")
from lib import nlspec, ynl  # pylint: disable=wrong-import-position


def text(attribute):
    """Decodes a string; the client accepts only ASCII."""
    return attribute.raw.decode()[:-1]


ynl.NlAttr.as_strz = text


class Decoder(ynl.YnlFamily):
    """The kernel's decoder, without its socket."""

    def __init__(self, path):  # pylint: disable=super-init-not-called
        nlspec.SpecFamily.__init__(self, path, "")
        self.process_unknown = True
        for attributes in self.attr_sets.values():
            self.complete(attributes)

    def complete(self, attributes):
        """Adds the other attributes of the full set to a sub-set."""
        if attributes.subset_of:
            full = self.attr_sets[attributes.subset_of]
            self.complete(full)
            for number, attribute in full.attrs_by_val.items():
                attributes.attrs_by_val.setdefault(number, attribute)

    def _get_enum_or_unknown(self, enum, raw):
        entry = enum.entries_by_val.get(raw)
        return entry.name if entry else raw

    def _decode_enum(self, raw, attr_spec):
        value = super()._decode_enum(raw, attr_spec)
        if not isinstance(value, set):
            return value
        bits = {entry.name: bit for bit, entry in self.consts[attr_spec["enum"]].entries_by_val.items()}
        return {"$flags": sorted(value, key=lambda flag: bits.get(flag, flag))}

    def _decode_unknown(self, attr):
        return attr.as_bin()

    def _formatted_string(self, raw, display_hint):
        if display_hint == "hex":
            return raw
        return super()._formatted_string(raw, "mac" if display_hint == "fddi" else display_hint)

    def message(self, command, raw):
        """Returns the attributes of a message that begins with struct genlmsghdr."""
        op = self.msgs[command]
        header = self.struct_size(op.fixed_header)
        values = self._decode(ynl.NlAttrs(raw[4 + header:]), op.attr_set.name)
        if op.fixed_header:
            values.update(self._decode_struct(raw[4:4 + header], op.fixed_header))
        return values


def encode(value):
    """Returns values that JSON does not have as objects."""
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    return repr(value)


decoder = functools.cache(Decoder)
for line in sys.stdin:
    spec, command, digits = line.split()
    print(json.dumps(decoder(spec).message(command, bytes.fromhex(digits)), default=encode))
