"""The shell: here, and only here, Streamlit meets compress_core."""
