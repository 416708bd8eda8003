"""Transformers over label trees: pretrained encoders as feature parts and as fine-tuned matchers."""
