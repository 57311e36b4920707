"""How good a super-resolved image is: scores, edges, registration."""
