"""Features of users for segmentation: reading, selection and preparation."""
