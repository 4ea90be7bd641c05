// SPDX-License-Identifier: MIT
// The arithmetic in `n_jobs` that the option `pre_dispatch` accepts.
#ifndef JOBLOT_EXPRESSION_HPP
#define JOBLOT_EXPRESSION_HPP

#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <joblot/error.hpp>
#include <joblot/quote_text.hpp>

namespace joblot::detail {

/// Longest text of an expression. It also bounds the depth of the parser's recursion.
inline constexpr std::size_t max_expression_length = 30;

/// Largest magnitude of a literal and of every intermediate value. Below it integers are exact in
/// a double, so one number type serves for Python's two.
inline constexpr double max_expression_value = 1e6;

/// Shortest decimal text of `value`, independent of the locale.
inline std::string number_text(double value) {
  char buffer[32];
  auto const [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc{} ? std::string(buffer, end) : std::string("?");
}

/// Recursive descent over Python's expression grammar, cut down to arithmetic on numbers.
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, int n_jobs) : text_(text), n_jobs_(n_jobs) {}

  /// The value of the whole text; throws `InvalidOption`.
  double parse() {
    if (text_.size() > max_expression_length) {
      fail("is too long: at most " + std::to_string(max_expression_length) +
           " characters are read, it has " + std::to_string(text_.size()));
    }
    double const value = sum();
    if (position_ != text_.size()) fail_here();
    return value;
  }

 private:
  // sum: product (('+' | '-') product)*
  double sum() {
    double value = product();
    for (;;) {
      if (accept("+")) {
        value = checked(value + product());
      } else if (accept("-")) {
        value = checked(value - product());
      } else {
        return value;
      }
    }
  }

  // product: factor (('*' | '/' | '//' | '%') factor)*
  double product() {
    double value = factor();
    for (;;) {
      // power() has already taken every "**" that may stand here, so a '*' is a multiplication.
      if (accept("//")) {
        value = checked(divide(value, factor()).quotient);
      } else if (accept("/")) {
        double const divisor = factor();
        require_nonzero(divisor);
        value = checked(value / divisor);
      } else if (accept("%")) {
        value = checked(divide(value, factor()).remainder);
      } else if (accept("*")) {
        value = checked(value * factor());
      } else {
        return value;
      }
    }
  }

  // factor: ('+' | '-') factor | power
  double factor() {
    if (accept("+")) return factor();
    if (accept("-")) return -factor();
    return power();
  }

  // power: atom ['**' factor], hence right-associative, and -2**2 is -4
  double power() {
    double const base = atom();
    if (!accept("**")) return base;
    double const exponent = factor();
    if (base == 0 && exponent < 0) require_nonzero(base);
    return checked(std::pow(base, exponent));
  }

  // atom: number | 'n_jobs' | '(' sum ')'
  double atom() {
    if (accept("(")) {
      double const value = sum();
      if (!accept(")")) fail_here();
      return value;
    }
    skip_blanks();
    std::size_t const begin = position_;
    if (is_digit(peek()) || peek() == '.') return number();
    while (is_word(peek())) ++position_;
    if (text_.substr(begin, position_ - begin) != "n_jobs") {
      position_ = begin;
      fail_here();
    }
    return checked(n_jobs_);
  }

  // Python's decimal literals. std::from_chars does not read the locale, as strtod would.
  double number() {
    std::size_t const begin = position_;
    skip_digits();
    std::size_t const integer_digits = position_ - begin;
    bool is_integer = true;
    if (peek() == '.') {
      ++position_;
      skip_digits();
      is_integer = false;
      if (position_ - begin == 1) {  // a lone point
        position_ = begin;
        fail_here();
      }
    }
    if (peek() == 'e' || peek() == 'E') {
      std::size_t const mark = position_++;
      if (peek() == '+' || peek() == '-') ++position_;
      if (is_digit(peek())) {
        skip_digits();
        is_integer = false;
      } else {
        position_ = mark;
        fail_here();
      }
    }
    std::string_view const literal = text_.substr(begin, position_ - begin);
    // 010 is 8 to a C++ reader, 10 to a human and an error to Python.
    if (is_integer && integer_digits > 1 && literal.find_first_not_of('0') != 0 &&
        literal.find_first_not_of('0') != std::string_view::npos) {
      fail("is not valid: " + quote_text(literal) + " has a leading zero");
    }
    double value = 0;
    auto const [end, error] =
        std::from_chars(literal.data(), literal.data() + literal.size(), value);
    static_cast<void>(end);
    if (error == std::errc::result_out_of_range) {
      // Too large or too close to zero; no exponent below zero fits the first.
      if (literal.find('-') == std::string_view::npos) fail(too_large(literal));
      return 0;
    }
    return checked(value);
  }

  struct Division {
    double quotient;
    double remainder;
  };

  // Python's divmod: the quotient is floored, the remainder has the divisor's sign, and
  // quotient * divisor + remainder is the dividend also where the division itself would round
  // (1 // 0.1 is 9).
  Division divide(double dividend, double divisor) const {
    require_nonzero(divisor);
    double remainder = std::fmod(dividend, divisor);
    double quotient = (dividend - remainder) / divisor;
    if (remainder != 0 && (remainder < 0) != (divisor < 0)) {
      remainder += divisor;
      quotient -= 1;
    }
    return {std::round(quotient), remainder};
  }

  void require_nonzero(double divisor) const {
    if (divisor == 0) fail("is not valid: it divides by zero");
  }

  double checked(double value) const {
    if (std::isnan(value)) fail("is not valid: it has no real value");
    if (std::fabs(value) > max_expression_value) fail(too_large(number_text(value)));
    return value;
  }

  static std::string too_large(std::string_view value) {
    return "is not valid: " + std::string(value) +
           " is too large, no literal and no intermediate " + "value may exceed " +
           number_text(max_expression_value);
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  }

  // No character of the grammar is NUL, so it can mark the end.
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  void skip_digits() {
    while (is_digit(peek())) ++position_;
  }

  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++position_;
  }

  bool accept(std::string_view token) {
    skip_blanks();
    if (!text_.substr(position_).starts_with(token)) return false;
    position_ += token.size();
    skip_blanks();
    return true;
  }

  [[noreturn]] void fail_here() const {
    if (position_ >= text_.size()) fail("is not valid: it ends too early");
    fail("is not valid: unexpected " + quote_text(text_.substr(position_)));
  }

  [[noreturn]] void fail(std::string const& problem) const {
    throw InvalidOption("pre_dispatch = " + quote_text(text_, max_expression_length) + " " +
                        problem +
                        ". Allowed: \"all\", a number of at least 1, or arithmetic on numbers and "
                        "n_jobs with + - * / // % ** and parentheses, such as \"2 * n_jobs\".");
  }

  std::string_view text_;
  int n_jobs_;
  std::size_t position_ = 0;
};

/// Value of an expression of the option `pre_dispatch`: decimal literals and the name `n_jobs` with
/// `+ - * / // % **`, signs and parentheses, with Python's precedence and results (`/` is a true
/// division, `//` floors, `%` has the sign of the divisor). Throws `InvalidOption`, whose text
/// names option, expression and what is allowed, for anything else, for more than
/// `max_expression_length` characters ("is too long") and for a literal or intermediate value
/// beyond `max_expression_value` ("is too large").
inline double evaluate_expression(std::string_view text, int n_jobs) {
  return ExpressionParser(text, n_jobs).parse();
}

/// The window that the text of the option `pre_dispatch` stands for: empty for "all", else the
/// value of the expression, truncated. Throws `InvalidOption` if that is below 1, because no task
/// could be taken, and as `evaluate_expression` does.
inline std::optional<std::size_t> pre_dispatch_window(std::string_view text, int n_jobs) {
  if (text == "all") return std::nullopt;
  double const value = evaluate_expression(text, n_jobs);
  if (value < 1) {
    throw InvalidOption("pre_dispatch = " + quote_text(text) + " is " + number_text(value) +
                        " with n_jobs = " + std::to_string(n_jobs) +
                        ". It must be at least 1, or no task could start; \"all\" stands for no "
                        "limit.");
  }
  return static_cast<std::size_t>(value);
}

}  // namespace joblot::detail

#endif
