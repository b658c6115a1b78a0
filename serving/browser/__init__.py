"""The script that a site embeds with one line: tracking by consent, recommendations, decisions and two dialogs."""
