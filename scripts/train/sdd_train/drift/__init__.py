"""How an exported model sees what it was not trained on."""
