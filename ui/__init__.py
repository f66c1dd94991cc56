"""The app's parts: only this package and `pages` use both Streamlit and compress_core."""
