//! What `retry` asks of the parameters: each attempt starts from what the caller passed.

use syn::{FnArg, Ident, PatIdent, PatType, Receiver, Signature, Token};

use crate::function::Body;
use crate::mentions::mentions;
use crate::parameters::{SelfKind, each_binding, holds_mutable_reference, is_shared_reference};
use crate::problems::Problems;

/// An argument of which each attempt gets a clone.
pub(crate) struct Reused {
    pub(crate) mutability: Option<Token![mut]>,
    pub(crate) name: Ident,
}

// Input: fn f(mut query: String, (a, mut b): (A, B), user_id: &str)
// Output: fn f(query: String, (a, b): (A, B), user_id: &str), and `mut query`, `a`, `mut b`
//
// What the body does not mention, because only the key needs it or nothing does, is left alone: a
// clone of it would be an unused variable.
pub(crate) fn reuse(sig: &mut Signature, body: &Body, problems: &mut Problems) -> Vec<Reused> {
    let mut reused = Vec::new();
    for input in &mut sig.inputs {
        match input {
            FnArg::Receiver(receiver) => check_self(receiver, body, problems),
            FnArg::Typed(parameter) if holds_mutable_reference(&parameter.ty) => {
                problems.at(&parameter.ty, cannot_undo("a mutable reference"));
            }
            FnArg::Typed(parameter) => reused.extend(bindings(parameter, problems)),
        }
    }
    let statements = body.statements();
    reused.retain(|reused| mentions(statements.clone(), &reused.name));
    reused
}

fn cannot_undo(what: &str) -> String {
    format!(
        "a retry cannot undo changes made through {what}: make this the state, take it by value, \
         or return what changes"
    )
}

fn check_self(receiver: &Receiver, body: &Body, problems: &mut Problems) {
    match SelfKind::of(receiver) {
        SelfKind::Shared => {}
        SelfKind::Owner if !matches!(body, Body::Boxed(_)) => {}
        SelfKind::Mutable => problems.at(receiver, cannot_undo("`&mut self`")),
        SelfKind::Value | SelfKind::Owner => {
            let message = "the first attempt would use `self` up: take `&self` because of `retry`";
            problems.at(receiver, message);
        }
    }
}

/// The names of a parameter that an attempt can use up or change.
fn bindings(parameter: &mut PatType, problems: &mut Problems) -> Vec<Reused> {
    let by_value = !is_shared_reference(&parameter.ty);
    let mut reused: Vec<Reused> = Vec::new();
    each_binding(&mut parameter.pat, |binding| {
        let PatIdent { by_ref, mutability, ident, .. } = binding;
        if by_ref.is_some() && mutability.is_some() {
            problems.at(&*ident, cannot_undo("`ref mut`"));
            return;
        }
        let mutability = mutability.take();
        let known = reused.iter().any(|other| other.name == *ident);
        if !known && (by_value || mutability.is_some()) {
            reused.push(Reused { mutability, name: ident.clone() });
        }
    });
    reused
}
