"""What a message is, and its stored form. Broker and client share it; the store keeps and returns these very bytes.

`record` is the stored record, `properties` the property string, `ids`, `tags`, `flags` and `topics` small vocabularies, `batch`
many messages in one body, `compression` the body's compression, `message` the objects that users meet, `results` what the store
answers.
"""
