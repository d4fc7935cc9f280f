"""Overrides of a command line, a line each."""


def inputs():
    lines = {
        "valid": "data.seq_len=4\nmodel.layers.0.at=[1, 2-3]\nmodel.ffw={kind: peer, num_keys: 9}\noptim.betas=[0.5]",
        "valid_kind": "tokenizer={kind: byte}\nmodel.layers.0.ffw.d_ff=16",
        "valid_list": "data.train=[{path: x}]\ndata.train.0.weight=3",
        "no_value": "data.seq_len",
        "no_key": "=3",
        "empty_key": "data..seq_len=3",
        "nothing": "",
        "equals": "=",
        "equals_in_value": "data.train.0.path=a=b",
        "unknown": "data.seqlen=4",
        "element_2": "data.train.2.path=a",
        "element_2_64": "data.train.18446744073709551616.path=a",
        "element_minus": "data.train.-1.path=a",
        "element_of_none": "data.0=a",
        "of_a_word": "data.seq_len.x=1",
        "of_a_list": "data.train.path=x",
        "anchor": "data=&a x",
        "alias": "data=*a",
        "tag": "data=!!str x",
        "two_documents": "data=a\n--- b",
        "bracket": "optim.betas=[0.1",
        "brace": "data={",
        "quote": "data='",
        "comment": "data=# a",
        "null": "model.softcap=",
        "list_of_lists": "optim.betas=[[[[0]]]]",
        "other_kind": "tokenizer.kind=byte",
        "kind_of_key": "model.ffw.d_ff=8",
        "deep": ".".join("a" * 40) + "=1",
        "deep_32": ".".join("a" * 32) + "=[1]",
        "deep_value": "data=" + "[" * 2000,
        "long_key": "k" * 4000 + "=1",
        "long_value": "data.seq_len=" + "9" * 4000,
        "long_path": ".".join(["\x01" * 60] * 30) + "=1",
        "controls": "\x1b[2J=\x1b[2J",
        "backslash": 'data="\\',
        "index_key": "0=1",
        "many": "\n".join(f"data.train.0.k{i}=1" for i in range(150)),
        "nested_unknown": ".".join(f"{i:060}x" for i in range(32)) + "=1",
    }
    for name, text in lines.items():
        yield name, text.encode()
    yield "invalid_utf8", b"\xff.\xfe=\xfd"
    yield "nul", b"data.seq_len=\x004"
