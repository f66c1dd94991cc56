"""The page of entropy coding: every number is the coders', and floats are explained."""

from typing import Any

import pytest

from compress_core import Quantize, Recipe, compress, load_model
from compress_core.methods.pruning import Prune
from compress_core.recipe import format_recipe
from compress_core.views.coding import coding_of, coding_rows, total_bytes
from compress_core.views.huffman_codes import first_code_words
from tests.whole_app import WholeApp, open_app
from ui.encode import codings

SPARSE: Recipe = (Prune(sparsity=0.8), Quantize(bits=4))


def texts(app: WholeApp) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.info))


def table_of(app: WholeApp, key: str, column: str) -> Any:
    """The twin of a chart, opened."""
    app.session_state[f"{key}_table"] = True
    app.run()
    return next(t.value for t in app.dataframe if column in t.value)


@pytest.mark.parametrize("model", ["digits-cnn", "digits-mlp", "digits-transformer"])
@pytest.mark.parametrize(
    "recipe",
    [
        "",
        "prune:sparsity=0.9",
        "prune:sparsity=0.8;quantize:bits=4",
        "share:clusters=16,scope=all",
        "quantize:bits=16",
        "binarize",
        "quantize_float:format=fp16",
        "quantize_float:format=fp4_e2m1",
    ],
)
def test_the_page_renders(model: str, recipe: str) -> None:
    app = open_app("encode", model=model, recipe=recipe)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "Encode"


@pytest.mark.parametrize("tab", ["How Huffman decodes", "How gaps are coded", "What contexts see"])
@pytest.mark.parametrize("recipe", ["prune:sparsity=0.9", "prune:sparsity=0.8;quantize:bits=8"])
def test_every_tab_renders(tab: str, recipe: str) -> None:
    app = open_app("encode", recipe=recipe)
    app.session_state["encode_tabs"] = tab
    app.run()
    assert not app.exception


def test_plain_floats_are_explained_and_a_step_is_offered() -> None:
    app = open_app("encode")
    assert "not even a mask to code" in texts(app)
    app.button(key="encode_quantize").click().run()
    assert app.session_state["recipe"] == "quantize:bits=4"
    assert "symbols of" in texts(app)


def test_a_switch_rounds_biases_and_norms() -> None:
    app = open_app("encode", recipe="quantize:bits=4")
    app.toggle(key="encode_rest").set_value(True).run()
    assert app.session_state["recipe"] == "quantize:bits=4;quantize_rest"
    app.toggle(key="encode_rest").set_value(False).run()
    assert app.session_state["recipe"] == "quantize:bits=4"


def test_of_pruned_floats_the_mask_is_shown() -> None:
    app = open_app("encode", recipe="prune:sparsity=0.9")
    assert "What can be coded is the mask" in texts(app)
    assert "bits of its mask" in texts(app)


def test_the_sentence_and_the_bars_are_the_coders_bytes() -> None:
    app = open_app("encode", recipe=format_recipe(SPARSE), encode_layer="fc1")
    compressed = compress(load_model("digits-cnn"), SPARSE)
    row = next(row for row in coding_rows(compressed) if row.layer == "fc1")
    coding = coding_of(compressed.layers["fc1"].weights[0])
    table = table_of(app, "encode_coders", "bits per weight")
    assert codings.layer_sentence("fc1", coding, row) in texts(app)
    assert dict(zip(table["coder"], table["bytes"], strict=True)) == {
        codings.CODERS[name]: size for name, size in row.coder_bytes
    }
    assert list(table["coder"][table["in the file"]]) == [codings.CODERS[row.taken]]


def test_the_total_adds_the_layers_up() -> None:
    app = open_app("encode", recipe=format_recipe(SPARSE))
    app.selectbox(key="encode_extent").set_value("total").run()
    rows = coding_rows(compress(load_model("digits-cnn"), SPARSE))
    table = table_of(app, "encode_coders", "bits per weight")
    sizes = dict(zip(table["coder"], table["bytes"], strict=True))
    assert sizes["Huffman"] == total_bytes(rows)["huffman"]
    assert sizes["the file: best of each"] == sum(row.taken_bytes for row in rows)


def test_layers_of_plain_floats_are_named_in_the_total() -> None:
    app = open_app("encode", recipe="quantize:bits=4,layers=fc1")
    app.selectbox(key="encode_extent").set_value("total").run()
    assert "not counted here: conv1, conv2, fc2" in texts(app)


def test_the_first_symbols_are_decoded_from_the_stream() -> None:
    app = open_app("encode", recipe="quantize:bits=4", encode_layer="fc1")
    app.number_input(key="encode_symbol").set_value(3).run()
    coding = coding_of(
        compress(load_model("digits-cnn"), (Quantize(bits=4),)).layers["fc1"].weights[0]
    )
    word = first_code_words(coding, 3)[2]
    name = codings.names(coding)[word.symbol]
    assert f":violet[**{word.bits}**] ends at the leaf **{name}**" in texts(app)


def test_a_large_alphabet_gets_a_table_instead_of_a_tree() -> None:
    app = open_app("encode", recipe="quantize:bits=8")
    assert any("**Lengths of the codes**" in text.value for text in app.markdown)
    table = next(t.value for t in app.dataframe if "length, bits" in t.value)
    assert list(table["length, bits"]) == sorted(table["length, bits"])


def test_the_bits_of_a_distance_make_fillers() -> None:
    app = open_app("encode", recipe="prune:sparsity=0.95,scope=layer;quantize:bits=4")
    app.session_state["encode_tabs"] = "How gaps are coded"
    app.run()
    app.number_input(key="encode_gap_bits").set_value(2).run()
    assert "of them fillers" in texts(app)


def test_a_factor_can_be_chosen() -> None:
    app = open_app("encode", recipe="factorize:rank=8;quantize:bits=4", encode_layer="fc1")
    app.selectbox(key="encode_factor").set_value(1).run()
    assert not app.exception
    assert "512 symbols" in texts(app)
