"""What opens here, what does not, and what helps then."""

import streamlit as st

from ui.language import N_, _

OPENS = (
    (
        N_("ONNX"),
        N_(
            "opset 7 and later, fp32, fp16 and quantized, several inputs and outputs; an operator "
            "that torch has not runs in onnxruntime"
        ),
    ),
    (
        N_("safetensors"),
        N_("weights; with the keys and shapes of a network that ships it runs as that network"),
    ),
    (
        N_("state dict (.pt, .pth, .bin)"),
        N_("the same; read without running anything that is in it"),
    ),
)
REMEDY = (
    "torch.save(model.state_dict(), 'weights.pt')\n"
    "torch.onnx.export(model, example, 'net.onnx', dynamo=True)"
)


def show() -> None:
    with st.expander(_("What opens, and what does not"), icon=":material/help:"):
        st.markdown("\n".join(f"- **{_(name)}**: {_(text)}" for name, text in OPENS))
        st.markdown(
            _(
                "Whole models of `torch.save(model)`, TorchScript and `.pt2` run code when they "
                "are opened: they are refused. At home, one line helps:"
            )
        )
        st.code(REMEDY, language=None)
        st.markdown(
            _(
                "Your own PyTorch code, training included: start the server with it, "
                "`streamlit run app.py -- --model package.module:factory`."
            )
        )
