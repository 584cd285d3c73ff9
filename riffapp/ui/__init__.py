"""The page. Only this folder and `app.py` know Streamlit."""
