"""Recommendations for people without history: onboarding questions, profiles and a welcome list."""
