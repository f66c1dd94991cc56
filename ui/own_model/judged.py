import streamlit as st


def show(current, original):
    st.caption(original.facts.data)
