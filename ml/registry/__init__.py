"""The MLflow registry. No other folder imports mlflow."""
