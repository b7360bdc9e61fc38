"""Everything that is not GRAD, made to look like GRAD, and GRAD made to look like theirs.

One file for each outside thing. The toolkit is imported inside its file only, so importing this
package loads none of them.
"""
